//! What the decoders are fed: recordings where there are any, else made input.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use stillwell::wire::{
    binary::{
        BinaryOptions, Check, Counted, FieldRule, Kind, Layout, Length, Number, Place, Scaling,
    },
    checksum::{Checksum, Order},
    cobs,
    decode::{Format, Naming},
    dsmr::DsmrOptions,
    frame::{self, BlockHead, Encoder, Header, TimeKind, ValueType},
    influx::InfluxOptions,
    json::{JsonLayout, JsonOptions},
    nmea::NmeaOptions,
    senml::SenmlOptions,
    statsd::StatsdOptions,
    text::TextOptions,
    vedirect::VedirectOptions,
};

/// A format, and what it is fed.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) format: fn() -> Format,
    /// The recording, or what the input is like.
    pub(super) source: &'static str,
    input: Input,
}

enum Input {
    Recorded,
    /// The valid cases of the corpus of line protocol, each a line.
    Corpus,
    Made(fn(&mut Made) -> Vec<u8>),
}

const fn recorded(name: &'static str, format: fn() -> Format, source: &'static str) -> Row {
    Row { name, format, source, input: Input::Recorded }
}

const fn made(
    name: &'static str,
    format: fn() -> Format,
    source: &'static str,
    make: fn(&mut Made) -> Vec<u8>,
) -> Row {
    Row { name, format, source, input: Input::Made(make) }
}

pub(super) const ROWS: &[Row] = &[
    recorded("text-csv-power", text_timed, "timeseries/ac_power_inv_2173_stale_data.csv"),
    recorded("text-csv-sun", text_first, "timeseries/midc_bms_ghi_20220120.csv"),
    made("text-labels", text, "made: t:21.53,h:45.2,p:1013.25", labels),
    made("text-words", text, "made: t=21.53 h=45.2 p=1013.25", words),
    made("json", json, "made: objects of 5 numbers", objects),
    made("json-rtl_433", || json_of(JsonLayout::Rtl433), "made: two transmitters", rtl_433),
    made("json-tempest", || json_of(JsonLayout::Tempest), "made: obs_st and rapid_wind", tempest),
    made("senml", senml, "made: packs of 3 records", packs),
    Row { name: "influx-corpus", format: influx, source: CORPUS, input: Input::Corpus },
    made("influx", influx, "made: a tag, 3 fields and a time", line_protocol),
    made("statsd", statsd, "made: gauges, counters and timers", statsd_lines),
    recorded("nmea-boat", nmea, "nmea/bundg_zeus_9.log"),
    recorded("nmea-receiver", nmea, "nmea/gpsdf.log"),
    recorded("nmea-two-bands", nmea, "nmea/quectel-l76k-dual.log"),
    recorded("vedirect-battery", vedirect, "victron/bvm702.dump"),
    recorded("vedirect-solar", vedirect, "victron/smartsolar_1.39.dump"),
    recorded("dsmr-5", dsmr, "dsmr/TELEGRAM_V5.txt"),
    recorded("dsmr-4", dsmr, "dsmr/TELEGRAM_V4_2.txt"),
    recorded("dsmr-belgian", dsmr, "dsmr/TELEGRAM_FLUVIUS_V171.txt"),
    made("native-50", || Format::NATIVE, "made: COBS, 50 values of 32 bits a frame", native_50),
    made("native-1", || Format::NATIVE, "made: COBS, one value of 32 bits a frame", native_1),
    made("binary-pms5003", binary, "made: frames of 32 bytes, 12 values and a sum", dust),
];

const CORPUS: &str = "lineprotocol/corpus.json.gz";

impl Row {
    /// Its bytes; `None` if the recording is absent.
    pub(super) fn input(&self) -> Option<Vec<u8>> {
        let folder = env::var_os("STILLWELL_TEST_DATA").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
            PathBuf::from,
        );
        match self.input {
            Input::Recorded => fs::read(folder.join(self.source)).ok(),
            Input::Corpus => corpus(&folder.join(self.source)),
            Input::Made(make) => Some(make(&mut Made(0x5EED))),
        }
    }
}

fn corpus(path: &Path) -> Option<Vec<u8>> {
    let unpacked = Command::new("gzip").arg("-dc").arg(path).output().ok()?;
    let corpus: Value = serde_json::from_slice(&unpacked.stdout).ok()?;
    let cases = corpus["decode"].as_object()?.values();
    let valid = cases.filter(|case| case["output"]["result"].is_array());
    // Those that are no text are in base64, and few.
    let mut lines = String::new();
    for text in valid.filter_map(|case| case["input"]["text"].as_str()) {
        lines.push_str(text);
        lines.push('\n');
    }
    Some(lines.into_bytes())
}

fn naming() -> Naming {
    Naming { known: Vec::new(), discover: 4_096 }
}

fn text() -> Format {
    Format::Text(TextOptions { naming: naming(), timestamp: None })
}

fn text_timed() -> Format {
    Format::Text(TextOptions { naming: naming(), timestamp: Some("timestamp".into()) })
}

fn text_first() -> Format {
    Format::Text(TextOptions { naming: naming(), timestamp: Some("1".into()) })
}

fn json() -> Format {
    json_of(JsonLayout::default())
}

fn json_of(layout: JsonLayout) -> Format {
    Format::Json(JsonOptions { naming: naming(), layout })
}

fn senml() -> Format {
    Format::Senml(SenmlOptions { naming: naming() })
}

fn influx() -> Format {
    Format::Influx(InfluxOptions { naming: naming(), ..InfluxOptions::default() })
}

fn statsd() -> Format {
    Format::Statsd(StatsdOptions { naming: naming(), ..StatsdOptions::default() })
}

fn nmea() -> Format {
    Format::Nmea(NmeaOptions { naming: naming(), ..NmeaOptions::default() })
}

fn vedirect() -> Format {
    Format::Vedirect(VedirectOptions { naming: naming() })
}

fn dsmr() -> Format {
    Format::Dsmr(DsmrOptions { naming: naming(), ..DsmrOptions::default() })
}

fn binary() -> Format {
    let number = |name| Number::named(name).expect("a type");
    let length = Length::Told { at: 2, number: number("u16be"), plus: 4, max: 64 };
    let kind = Kind::Counted(Counted { sync: [0x42, 0x4D].into(), length });
    let check = Check {
        checksum: Checksum::Sum16,
        from: Place::new(0),
        to: Place::new(-2),
        at: Place::new(-2),
        order: Order::Be,
    };
    let field = |index: i64| FieldRule {
        name: format!("v{index}").into(),
        unit: None,
        at: Place::new(4 + 2 * index),
        number: number("u16be"),
        bits: None,
        scaling: Scaling::new(1.0, 0.0),
        missing: Box::default(),
    };
    let layout = Layout::new(kind, Box::default(), Some(check), (0..12).map(field).collect());
    let layout = layout.expect("it fits").into();
    Format::Binary(BinaryOptions { naming: naming(), layout })
}

/// Numbers that look like those of sensors, and are the same in every run (Marsaglia's xorshift).
pub(super) struct Made(u64);

impl Made {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A value in this range, in tenths or hundredths.
    fn decimal(&mut self, low: u64, high: u64, decimals: usize) -> String {
        let steps = 10_u64.pow(decimals as u32);
        let value = low * steps + self.below((high - low) * steps);
        format!("{}.{:0decimals$}", value / steps, value % steps)
    }

    fn temperature(&mut self) -> String {
        self.decimal(15, 35, 2)
    }

    fn humidity(&mut self) -> String {
        self.decimal(20, 90, 1)
    }

    fn pressure(&mut self) -> String {
        self.decimal(980, 1_040, 2)
    }
}

/// So many lines, each made by this.
fn lines(count: u64, mut line: impl FnMut(u64, &mut String)) -> Vec<u8> {
    let mut text = String::new();
    for index in 0..count {
        line(index, &mut text);
        text.push('\n');
    }
    text.into_bytes()
}

macro_rules! line {
    ($text:expr, $($part:tt)*) => {
        write!($text, $($part)*).expect("a string takes everything")
    };
}

fn labels(made: &mut Made) -> Vec<u8> {
    lines(2_000, |_, text| {
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        line!(text, "t:{t},h:{h},p:{p}");
    })
}

fn words(made: &mut Made) -> Vec<u8> {
    lines(2_000, |_, text| {
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        line!(text, "t={t} h={h} p={p}");
    })
}

fn objects(made: &mut Made) -> Vec<u8> {
    lines(2_000, |index, text| {
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        let (volts, rssi) = (made.decimal(3, 4, 3), made.below(60) + 40);
        line!(text, r#"{{"temperature":{t},"humidity":{h},"pressure":{p},"#);
        line!(text, r#""battery":{{"voltage":{volts}}},"rssi":-{rssi},"node":"n{}"}}"#, index % 7);
    })
}

fn rtl_433(made: &mut Made) -> Vec<u8> {
    lines(2_000, |index, text| {
        let (minute, second) = (index / 60 % 60, index % 60);
        line!(text, r#"{{"time":"2019-06-16 07:{minute:02}:{second:02}","#);
        if index % 2 == 0 {
            let (t, h) = (made.decimal(8, 24, 3), made.below(60) + 30);
            line!(text, r#""model":"Acurite-Tower","id":7997,"channel":"A","battery_ok":1,"#);
            line!(text, r#""temperature_C":{t},"humidity":{h},"mic":"CHECKSUM"}}"#);
        } else {
            let (wind, rain) = (made.decimal(0, 20, 3), made.decimal(80, 81, 3));
            line!(text, r#""model":"Bresser-5in1","id":118,"battery_ok":1,"#);
            line!(text, r#""wind_avg_m_s":{wind},"rain_mm":{rain},"mic":"CHECKSUM"}}"#);
        }
    })
}

fn tempest(made: &mut Made) -> Vec<u8> {
    lines(2_000, |index, text| {
        let time = 1_677_182_716 + 3 * index;
        let (wind, direction) = (made.decimal(0, 9, 2), made.below(360));
        if index % 20 != 0 {
            line!(text, r#"{{"serial_number":"ST-00028209","type":"rapid_wind","#);
            line!(text, r#""hub_sn":"HB-00038302","ob":[{time},{wind},{direction}]}}"#);
            return;
        }
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        line!(text, r#"{{"serial_number":"ST-00028209","type":"obs_st","#);
        line!(text, r#""hub_sn":"HB-00038302","obs":[[{time},0,{wind},0.89,{direction},3,{p},"#);
        line!(text, r#"{t},{h},3452,0.03,29,0,0,0,0,2.7,1]],"firmware_revision":165}}"#);
    })
}

fn packs(made: &mut Made) -> Vec<u8> {
    lines(1_000, |index, text| {
        let time = 1_700_000_000 + index;
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        line!(text, r#"[{{"bn":"urn:dev:ow:10e2073a01080063:","bt":{time},"#);
        line!(text, r#""n":"temperature","u":"Cel","v":{t}}},"#);
        line!(
            text,
            r#"{{"n":"humidity","u":"%RH","v":{h}}},{{"n":"pressure","u":"hPa","v":{p}}}]"#
        );
    })
}

fn line_protocol(made: &mut Made) -> Vec<u8> {
    lines(2_000, |index, text| {
        let time = 1_700_000_000_000_000_000 + index * 1_000_000_000;
        let (t, h, p) = (made.temperature(), made.humidity(), made.pressure());
        line!(text, "env,id=esp32-{} t={t},h={h},p={p} {time}", index % 16);
    })
}

fn statsd_lines(made: &mut Made) -> Vec<u8> {
    lines(3_000, |index, text| match index % 3 {
        0 => line!(text, "plant.boiler{}.temperature:{}|g", index % 16, made.temperature()),
        1 => line!(text, "plant.gate.requests:{}|c|@0.5", made.below(20)),
        _ => line!(text, "plant.gate.latency:{}|ms", made.below(400)),
    })
}

fn native_50(made: &mut Made) -> Vec<u8> {
    native(made, 50)
}

fn native_1(made: &mut Made) -> Vec<u8> {
    native(made, 1)
}

fn native(made: &mut Made, channels: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    for sequence in 0..1_000 {
        let header = Header {
            kind: frame::Kind::Data,
            first_since_reset: false,
            authenticated: false,
            health: 0,
            device: sequence % 100,
            boot: 1,
            time_kind: TimeKind::Utc,
            time_error: 10,
            sequence,
            time_us: 1_700_000_000_000_000 + u64::from(sequence) * 10_000,
        };
        let value_type = ValueType::F32;
        let block = BlockHead { first_channel: 0, channels, value_type, samples: 1, dt_us: 0 };
        let values: Vec<_> = (0..channels).map(|_| made.below(10_000) as f64 / 64.0).collect();
        let (mut buffer, mut stuffed) = ([0; 512], [0; 600]);
        let mut encoder = Encoder::new(&mut buffer, &header).expect("it fits");
        encoder.block(block, None, &values).expect("it fits");
        let frame = encoder.finish().expect("it fits");
        let length = cobs::encode(frame, &mut stuffed).expect("it fits");
        stream.extend_from_slice(&stuffed[..length]);
        stream.push(0);
    }
    stream
}

fn dust(made: &mut Made) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..1_000 {
        let mut frame = vec![0x42, 0x4D, 0, 28];
        (0..12).for_each(|_| frame.extend((made.below(500) as u16).to_be_bytes()));
        frame.extend([0x97, 0]);
        let sum = frame.iter().fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
        frame.extend(sum.to_be_bytes());
        stream.extend(frame);
    }
    stream
}
