//! Messages that are text.

use super::Made;
use crate::support::Random;

/// Messages of each log.
const MESSAGES: usize = 300;

/// Makes a log, sets damage between its messages, and plays it as a stream and as datagrams.
fn played(
    name: &str,
    format: &str,
    malformed: &[&str],
    mut message: impl FnMut(&mut Random, &mut Made),
) {
    let mut random = Random::named(name);
    let mut made = Made::default();
    for _ in 0..MESSAGES {
        match random.below(12) {
            0 => made.bad("malformed", format!("{}\n", random.one_of(malformed))),
            1 => made.bad("not_text", [&random.garbage()[..], b"\n"].concat()),
            2 => made.nothing(*random.one_of(&["\n", "\r\n"])),
            _ => message(&mut random, &mut made),
        }
    }
    let log = made.log(name, format);
    made.assert_all(&log.played_as_stream(), name);
    made.assert_all(&log.played_as_datagrams(5), &format!("{name} in datagrams"));
}

#[test]
fn json_of_several_rooms() {
    let format = "format = \"json\"\nname_by = [\"room\"]";
    let malformed = ["{\"room\":\"hall\",\"t\":", "{\"room\":\"hall\",\"t\":1e}", "t: 21.5", "{{}"];
    played("json", format, &malformed, |random, made| {
        let room = *random.one_of(&["hall", "attic"]);
        let (t, h, on) = (random.tenths(40), random.tenths(100), random.below(2) == 1);
        let (t_name, h_name) = (format!("{room}.t"), format!("{room}.air.h.0"));
        let on_name = format!("{room}.on");
        let end = *random.one_of(&["\n", "\r\n"]);
        made.good(
            format!(
                "{{\"room\":\"{room}\",\"t\":{t},\"air\":{{\"h\":[{h},null]}},\"on\":{on},\
                 \"note\":\"\\u00b0\"}}{end}"
            ),
            &[(&t_name, t), (&h_name, h), (&on_name, f64::from(u8::from(on)))],
        );
    });
}

#[test]
fn what_rtl_433_prints_and_sends() {
    let format = "format = \"json\"\npreset = \"rtl_433\"";
    let malformed =
        ["{\"time\" : \"2025-01-02 03:04:05\", \"model\" :", "<14>1 - host rtl_433 - - -"];
    played("rtl_433", format, &malformed, |random, made| {
        let (id, t, h) = (*random.one_of(&[7_997, 12]), random.tenths(30), random.below(100));
        let header = "<14>1 2025-01-02T03:04:05Z host rtl_433 - - - ";
        let header = if random.below(2) == 0 { header } else { "" };
        let (t_name, h_name) =
            (format!("Acurite-Tower.{id}.temperature_C"), format!("Acurite-Tower.{id}.humidity"));
        made.good(
            format!(
                "{header}{{\"time\" : \"2025-01-02 03:04:05\", \"model\" : \"Acurite-Tower\", \
                 \"id\" : {id}, \"channel\" : \"A\", \"temperature_C\" : {t}, \"humidity\" : {h}, \
                 \"mic\" : \"CHECKSUM\"}}\n"
            ),
            &[(&t_name, t), (&h_name, h as f64)],
        );
    });
}

#[test]
fn what_a_weather_station_broadcasts() {
    let format = "format = \"json\"\npreset = \"tempest\"";
    let malformed = ["{\"serial_number\":\"ST-1\",\"type\":\"obs_st\",\"obs\":[[1", "[1 2]"];
    played("tempest", format, &malformed, |random, made| {
        let (speed, direction) = (random.tenths(30), random.below(360));
        if random.below(2) == 0 {
            made.good(
                format!(
                    "{{\"serial_number\":\"ST-1\",\"type\":\"rapid_wind\",\"hub_sn\":\"HB-1\",\
                     \"ob\":[1493322445,{speed},{direction}]}}\n"
                ),
                &[
                    ("ST-1.rapid_wind_speed", speed),
                    ("ST-1.rapid_wind_direction", direction as f64),
                ],
            );
            return;
        }
        let (t, h) = (random.tenths(30), random.tenths(100));
        made.good(
            format!(
                "{{\"serial_number\":\"AR-1\",\"type\":\"obs_air\",\"hub_sn\":\"HB-1\",\
                 \"obs\":[[1493164835,835.0,{t},{h},0,null,3.46,1]],\"firmware_revision\":17}}\n"
            ),
            &[
                ("AR-1.pressure", 835.0),
                ("AR-1.air_temperature", t),
                ("AR-1.humidity", h),
                ("AR-1.lightning_count", 0.0),
                ("AR-1.battery", 3.46),
                ("AR-1.report_interval", 1.0),
                ("AR-1.firmware_revision", 17.0),
            ],
        );
    });
}

#[test]
fn measurement_lists() {
    let malformed =
        ["[{\"n\":\"t\"}]", "[{\"n\":\"t\",\"v\":\"21\"}]", "{\"n\":\"t\",\"v\":1}", "[{"];
    played("senml", "format = \"senml\"", &malformed, |random, made| {
        if random.below(20) == 0 {
            made.bad("version", "[{\"bver\":11,\"n\":\"t\",\"v\":1}]\n");
        }
        let (t, h, e) = (random.tenths(30), random.tenths(100), random.below(1_000));
        made.good(
            format!(
                "[{{\"bn\":\"roof/\",\"bt\":1.7e9,\"bu\":\"Cel\",\"bver\":5,\"n\":\"t\",\"v\":{t}}},\
                 {{\"n\":\"h\",\"u\":\"%RH\",\"v\":{h},\"t\":-1}},{{\"n\":\"e\",\"s\":{e}}},\
                 {{\"n\":\"on\",\"vb\":true}},{{\"n\":\"says\",\"vs\":\"ok\"}}]\n"
            ),
            &[("roof/t", t), ("roof/h", h), ("roof/e.sum", e as f64), ("roof/on", 1.0)],
        );
    });
}

#[test]
fn line_protocol_of_other_agents() {
    let malformed = ["env t=", "env,room t=1", "env t=1 2 3", "env", "env t=1x"];
    played("influx", "format = \"influx\"", &malformed, |random, made| {
        let (t, h, id) = (random.tenths(30), random.below(100), random.below(3));
        let (t_name, h_name, ok_name) =
            (format!("env.{id}.hall.t"), format!("env.{id}.hall.h"), format!("env.{id}.hall.ok"));
        // Tags may come in any order.
        let tags = [format!("room=hall,id={id}"), format!("id={id},room=hall")];
        let tags = random.one_of(&tags);
        let time = *random.one_of(&["", " 1700000000000000000"]);
        made.good(
            format!("env,{tags} t={t},h={h}i,ok=t,note=\"x, y=\\\"z\"{time}\n"),
            &[(&t_name, t), (&h_name, h as f64), (&ok_name, 1.0)],
        );
        if random.below(10) == 0 {
            made.nothing("# a remark\n");
        }
    });
}

#[test]
fn counters_gauges_and_timers() {
    let malformed = ["boiler.t:61.5", "boiler.t|g", "x:abc|g", "x:1|q", "x:1|c|@2"];
    let mut level = 0.0;
    played("statsd", "format = \"statsd\"", &malformed, |random, made| match random.below(6) {
        0 => {
            let step = random.below(10) as f64;
            level += step;
            made.good(format!("level:+{step}|g\n"), &[("level", level)]);
        }
        1 => {
            level = random.tenths(100);
            made.good(format!("level:{level}|g\n"), &[("level", level)]);
        }
        2 => made.good("hits:3|c|@0.5\n", &[("hits", 6.0)]),
        3 => {
            let took = random.below(500) as f64;
            made.good(format!("took:{took}|ms|#room:hall\n"), &[("took.hall", took)]);
        }
        4 => made.good("users:42|s\n", &[]),
        _ => made.good("_e{5,4}:title|text\n", &[]),
    });
}

#[test]
fn labelled_text() {
    let malformed = ["Ready", "t:21.5x h:1", "t=0x1F,h=2", "1.2.3"];
    played("text", "format = \"text\"", &malformed, |random, made| {
        let (t, h) = (random.tenths(40), random.tenths(100));
        let line = match random.below(4) {
            0 => format!("t:{t} h:{h}\r\n"),
            1 => format!("t={t},h={h}\n"),
            2 => format!("h: {h}, t: {t}\n"),
            _ => format!("t:{t}\th:{h}\n"),
        };
        made.good(line, &[("t", t), ("h", h)]);
        if random.below(10) == 0 {
            made.nothing("# a remark\n");
        }
    });
}

/// Headers hold to the next one, so that what columns mean is as long as the line is up.
#[test]
fn columns_under_headers() {
    let mut random = Random::named("columns");
    let mut made = Made::default();
    for _ in 0..6 {
        made.good("time,level,temp\n", &[]);
        for n in 0..50 {
            let (level, temp) = (random.tenths(5), random.tenths(40));
            // The last column may have no value, which is not 0.
            let readings = [("level", level), ("temp", temp)];
            match random.below(8) {
                0 => made.good(format!("12:00:{n:02},{level},\n"), &readings[..1]),
                1 => made.bad("malformed", format!("12:00:{n:02},{level},12..5\n")),
                _ => made.good(format!("12:00:{n:02},{level},{temp}\n"), &readings),
            }
        }
    }
    made.assert_all(&made.log("columns", "format = \"text\"").played_as_stream(), "columns");
}
