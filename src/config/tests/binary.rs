//! Declared frames in a configuration.

use super::{super::binary::presets, *};
use crate::wire::binary::{Kind, Place};

/// A source with these lines, and what is said of it.
fn source(lines: &str) -> Result<Config, String> {
    let text = format!(
        "[[source]]\nname = \"s\"\nkind = \"serial\"\npath = \"/dev/null\"\nformat = \"binary\"\n\
         unknown = \"discover\"\n{lines}"
    );
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    Config::parse(&text, Path::new("c.toml"), &nothing)
        .map(|loaded| loaded.config)
        .map_err(|errors| errors.to_string())
}

#[test]
fn presets_are_layouts() {
    for (name, layout) in presets() {
        let layout = layout.unwrap_or_else(|| panic!("{name} has errors"));
        assert!(matches!(layout.kind(), Kind::Counted(_)), "{name}");
        let config = source(&format!("preset = \"{name}\"\n")).unwrap_or_else(|e| panic!("{e}"));
        let Format::Binary(options) = &config.inputs[0].format else { panic!("{config:?}") };
        assert_eq!(options.layout, layout);
    }
}

const FRAME: &str = "[source.frame]\nkind = \"sync\"\nsync = \"42 4d\"\nlength = 8\n";
const FIELD: &str = "[[source.field]]\nname = \"a\"\nat = 2\ntype = \"u16be\"\n";

#[test]
fn a_layout_is_read_as_it_is_written() {
    let check = "[source.check]\ncustom = { width = 8, poly = 0x31 }\nover = [2]\nat = -1\n";
    let more = "bits = [11, 4]\nscale = 0.1\noffset = -40\nunit = \"Cel\"\nmissing = [-1, 65535]\n";
    let config = source(&format!("{FRAME}{check}{FIELD}{more}")).unwrap_or_else(|e| panic!("{e}"));
    let Format::Binary(options) = &config.inputs[0].format else { panic!("{config:?}") };
    let field = &options.layout.fields()[0];
    assert_eq!((&*field.name, field.unit.as_deref(), field.at), ("a", Some("Cel"), Place::new(2)));
    assert_eq!(*field.missing, [-1.0, 65_535.0]);
    assert!(field.bits.is_some());
}

#[test]
fn each_mistake_is_named_where_it_is() {
    let frame = |lines: &str| format!("[source.frame]\n{lines}\n{FIELD}");
    let check = |lines: &str| format!("{FRAME}[source.check]\n{lines}\n{FIELD}");
    let field = |lines: &str| format!("{FRAME}[[source.field]]\nname = \"a\"\n{lines}\n");
    for (lines, line, words) in [
        (String::new(), 1, "needs `frame`"),
        ("preset = \"pms5004\"\n".to_owned(), 7, "did you mean \"pms5003\""),
        (format!("preset = \"sds011\"\n{FRAME}"), 8, "`frame` does not fit beside `preset`"),
        (frame("kind = \"synk\""), 8, "did you mean \"sync\""),
        (frame("kind = \"sync\"\nsync = \"42 4\"\nlength = 8"), 9, "`sync` is no bytes"),
        (frame("kind = \"sync\"\nsync = \"42\"\nlength = 0"), 10, "not within 1"),
        (frame("kind = \"fixed\"\nlength = 8"), 7, "nothing tells where a frame begins"),
        (frame("kind = \"fixed\"\nlength = { at = 0, type = \"u8\" }"), 9, "does not fit the kind"),
        (frame("kind = \"line\"\nsync = \"42\""), 9, "`sync` does not fit"),
        (frame("kind = \"idle-gap\"\ngap = \"0ms\""), 9, "not within 1ms"),
        (frame("kind = \"datagram\""), 7, "does not fit the source"),
        (
            frame("kind = \"sync\"\nsync = \"42\"\nlength = { at = 2, type = \"i16be\" }"),
            10,
            "a length is a whole number",
        ),
        (check("kind = \"crc17\"\nover = [0]\nat = 0"), 12, "cannot be \"crc17\""),
        (check("kind = \"sum8\"\nover = [0, 9]\nat = 7"), 13, "no part of the frame"),
        (check("kind = \"sum8\"\nover = [0, 7]\nat = 8"), 14, "beyond the end of the frame"),
        (check("kind = \"sum16\"\nover = [0, -2]\nat = -2"), 11, "needs `order`"),
        (check("custom = { width = 7, poly = 1 }\nover = [0]\nat = 0"), 12, "not within 8 to 32"),
        (check("kind = \"sum8\"\nover = [\"all\"]\nat = 7"), 13, "`over` is no part of a frame"),
        (field("at = 7\ntype = \"u16be\""), 13, "beyond the end of the frame"),
        (field("at = 2\ntype = \"u16\""), 14, "`type` cannot be \"u16\""),
        (field("at = 2\ntype = \"u8\"\nbits = [8, 0]"), 15, "`bits` are none"),
        (field("at = 2\ntype = \"u8\"\nscale = 0"), 15, "`scale` is 0"),
        (field("at = 2\ntype = \"u8\"\nunit = \"C el\""), 15, "is no unit"),
        (format!("{FRAME}{FIELD}{FIELD}"), 16, "\"a\" is there twice"),
    ] {
        let errors = source(&lines).expect_err(words);
        assert!(errors.contains(words), "{lines}: {errors}");
        assert!(errors.contains(&format!("c.toml:{line}:")), "{lines}: line {line}: {errors}");
    }
}

#[test]
fn a_channel_takes_a_field_that_the_frames_have() {
    let channel = |field: &str| {
        let preset = "preset = \"sds011\"\n";
        let channel = format!("id = \"dust\"\nsource = \"s\"\nfield = \"{field}\"\n");
        source(&format!("{preset}[[channel]]\n{channel}"))
    };
    assert!(channel("pm2_5").is_ok());
    for (field, help) in
        [("pm2.5", "did you mean \"pm2_5\"?"), ("dust", "there are `pm2_5` and `pm10`")]
    {
        let errors = channel(field).expect_err(help);
        assert!(errors.contains("c.toml:11:9"), "{errors}");
        let title = format!("no field of the source has the name \"{field}\"");
        assert!(errors.contains(&title) && errors.contains(help), "{errors}");
    }
}
