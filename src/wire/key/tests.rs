//! Tags against those of others, and keys that are none.

use super::*;

fn tag_in_hex(key: &[u8], data: &[u8]) -> String {
    Key::of(key).tag(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 4231, section 4: the first 128 bits of each result.
#[test]
fn tags_are_those_of_rfc_4231() {
    let counted: Vec<u8> = (1..=25).collect();
    let long = b"This is a test using a larger than block-size key and a larger than block-size \
                 data. The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0B; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7"),
        (&[0xAA; 20], &[0xDD; 50], "773ea91e36800e46854db8ebd09181a7"),
        (&counted, &[0xCD; 50], "82558a389a443c0ea4cc819899f2083a"),
        (&[0x0C; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            &[0xAA; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f",
        ),
        (&[0xAA; 131], long, "9b09ffa71b942fcb27635fbcd5b0e944"),
    ];
    for (key, data, tag) in cases {
        assert_eq!(tag_in_hex(key, data), tag);
    }
}

#[test]
fn a_tag_verifies_whole_or_not_at_all() {
    let key = Key::of(&[9; KEY_BYTES_MIN]);
    let tag = key.tag(b"frame");
    assert!(key.verifies(b"frame", &tag));
    assert!(!key.verifies(b"frane", &tag));
    assert!(!Key::of(&[8; KEY_BYTES_MIN]).verifies(b"frame", &tag));
    for bit in 0..TAG_BYTES * 8 {
        let mut bent = tag;
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verifies(b"frame", &bent), "bit {bit}");
    }
}

#[test]
fn a_key_is_32_to_64_bytes_in_hexadecimal() {
    let bytes = |count: usize| "5a".repeat(count);
    for (text, expected) in [
        (bytes(32), Ok(32)),
        (bytes(64), Ok(64)),
        (format!(" \t{}\r\n", bytes(33).to_uppercase()), Ok(33)),
        (bytes(31), Err(KeyError::Short(31))),
        (bytes(65), Err(KeyError::Long(65))),
        (String::new(), Err(KeyError::Short(0))),
        (bytes(32) + "5", Err(KeyError::NotHex)),
        (bytes(32).replacen('5', "g", 1), Err(KeyError::NotHex)),
        (bytes(16) + " " + &bytes(16), Err(KeyError::NotHex)),
        (bytes(31) + "é", Err(KeyError::NotHex)),
    ] {
        let key = |length| Key::of(&vec![0x5A; length]);
        assert_eq!(Key::from_hex(&text), expected.map(key), "{text:?}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let key = Key::from_hex(&"c3".repeat(32)).expect("a key");
    for text in [format!("{key:?}"), format!("{key:#?}")] {
        assert_eq!(text, "Key(hidden)");
    }
    for why in [KeyError::NotHex, KeyError::Short(3), KeyError::Long(99)] {
        assert!(!format!("{why} {why:?}").contains("c3"));
    }
    assert_ne!(key, Key::from_hex(&"c4".repeat(32)).expect("a key"));
}
