//! How the devices of a line do, in words for the state of the source.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{config::model::ModbusConfig, engine::Link, wire::modbus::request::Request};

/// Remarks that are spelled out; the rest is counted.
const REMARKS_SHOWN: usize = 6;

/// The judgement over one opening of a line.
#[derive(Debug)]
pub(super) struct Standing {
    /// What is worth knowing of the open line.
    detail: Arc<str>,
    /// By address.
    devices: BTreeMap<u8, Health>,
    /// Requests that are refused, with the code of the exception.
    refused: BTreeMap<Request, u8>,
    /// Something sends without end.
    babbles: bool,
    /// There is something that was not told.
    is_news: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Not known to be absent.
    Present,
    /// It leaves requests unanswered.
    Absent,
    /// It answers, and nothing of it is sound.
    Garbled,
}

impl Standing {
    pub(super) fn new(config: &ModbusConfig, detail: &str) -> Self {
        let devices = config.devices.iter().map(|device| (device.address, Health::Present));
        Self {
            detail: detail.into(),
            devices: devices.collect(),
            refused: BTreeMap::new(),
            babbles: false,
            is_news: true,
        }
    }

    /// The device has answered with values.
    pub(super) fn answered(&mut self, request: &Request) {
        self.is(request.device, Health::Present);
        self.is_news |= self.refused.remove(request).is_some();
    }

    /// The device has answered that it refuses.
    pub(super) fn refused(&mut self, request: Request, code: u8) {
        self.is(request.device, Health::Present);
        self.is_news |= self.refused.insert(request, code) != Some(code);
    }

    /// The device has answered, and nothing follows from how.
    pub(super) fn present(&mut self, device: u8) {
        self.is(device, Health::Present);
    }

    /// The device is given up for a while; `something` tells whether anything came of it.
    pub(super) fn absent(&mut self, device: u8, something: bool) {
        self.is(device, if something { Health::Garbled } else { Health::Absent });
    }

    /// Whether something sends without end, and nothing can be asked.
    pub(super) fn babbles(&mut self, babbles: bool) {
        self.is_news |= self.babbles != babbles;
        self.babbles = babbles;
    }

    fn is(&mut self, device: u8, health: Health) {
        self.is_news |= self.devices.insert(device, health) != Some(health);
    }

    /// The state of the source, if it is another one than was told last.
    pub(super) fn news(&mut self) -> Option<Link> {
        std::mem::take(&mut self.is_news).then(|| self.link())
    }

    fn link(&self) -> Link {
        let detail = &self.detail;
        let present = self.devices.values().any(|health| *health == Health::Present);
        let garbled = self.devices.values().any(|health| *health == Health::Garbled);
        if self.babbles {
            let text = format!("{detail}: something sends without end, so that nothing is asked");
            return Link::Garbled(text.into());
        }
        if !present && garbled {
            let text = format!(
                "{detail}: nothing that comes is a sound reply: most likely `baud`, `parity`, \
                 `stop_bits`, the wiring, or two devices with one address"
            );
            return Link::Garbled(text.into());
        }
        if !present {
            return Link::Silent(format!("{detail}: no device answers").into());
        }
        let mut remarks = self.remarks();
        let more = remarks.len().saturating_sub(REMARKS_SHOWN);
        remarks.truncate(REMARKS_SHOWN);
        let mut text = detail.to_string();
        for remark in remarks {
            text = format!("{text}; {remark}");
        }
        if 0 < more {
            text = format!("{text}; and {more} more of the kind");
        }
        Link::Up(text.into())
    }

    fn remarks(&self) -> Vec<String> {
        let health = |(address, health): (&u8, &Health)| match health {
            Health::Present => None,
            Health::Absent => Some(format!("device {address} does not answer")),
            Health::Garbled => Some(format!("device {address} answers nothing sound")),
        };
        let refused = |(request, code): (&Request, &u8)| {
            let Request { device, table, address, count } = request;
            let last = address + (count - 1);
            let (table, reason) = (table.name(), Exception(*code));
            Some(format!("device {device} refuses {table} {address} to {last}: {reason}"))
        };
        let health = self.devices.iter().filter_map(health);
        health.chain(self.refused.iter().filter_map(refused)).collect()
    }
}

/// Why a device refuses, by its code ("MODBUS Application Protocol V1.1b3", section 7).
struct Exception(u8);

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(code) = self;
        let words = match code {
            1 => "illegal function",
            2 => "illegal data address",
            3 => "illegal data value",
            4 => "failure of the device",
            5 => "acknowledged, takes time",
            6 => "busy",
            8 => "memory parity error",
            10 => "gateway path unavailable",
            11 => "no answer behind the gateway",
            _ => "exception",
        };
        write!(f, "{words} ({code})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::model::{ModbusDevice, ModbusPath},
        wire::modbus::{Mode, request::Table},
    };

    fn standing() -> Standing {
        let device = |address| ModbusDevice {
            address,
            timeout_ns: 1,
            quarantine_ns: 1,
            gap_ns: 1,
            retries: 0,
        };
        let config = ModbusConfig {
            path: ModbusPath::Network(([127, 0, 0, 1], 502).into()),
            mode: Mode::Tcp,
            devices: [device(1), device(7)].into(),
            polls: [].into(),
        };
        Standing::new(&config, "a line")
    }

    fn request(device: u8) -> Request {
        Request { device, table: Table::HoldingRegisters, address: 100, count: 10 }
    }

    fn told(standing: &mut Standing) -> Option<String> {
        let link = standing.news()?;
        Some(format!("{} {}", link.name(), link.detail().unwrap_or_default()))
    }

    #[test]
    fn troubles_are_told_once_and_end() {
        let mut standing = standing();
        assert_eq!(told(&mut standing).as_deref(), Some("up a line"));
        standing.answered(&request(1));
        assert_eq!(told(&mut standing), None);
        standing.absent(7, false);
        let absent = "up a line; device 7 does not answer";
        assert_eq!(told(&mut standing).as_deref(), Some(absent));
        standing.refused(request(1), 2);
        let refused = "; device 1 refuses holding 100 to 109: illegal data address (2)";
        assert_eq!(told(&mut standing), Some(format!("{absent}{refused}")));
        standing.refused(request(1), 2);
        assert_eq!(told(&mut standing), None);
        standing.answered(&request(1));
        standing.answered(&request(7));
        assert_eq!(told(&mut standing).as_deref(), Some("up a line"));
    }

    #[test]
    fn a_line_on_which_nobody_answers_is_silent_or_garbled() {
        let mut standing = standing();
        standing.absent(1, false);
        standing.absent(7, false);
        assert_eq!(told(&mut standing).as_deref(), Some("silent a line: no device answers"));
        standing.absent(7, true);
        assert!(
            told(&mut standing).is_some_and(|told| told.starts_with("garbled a line: nothing"))
        );
        standing.babbles(true);
        assert!(told(&mut standing).is_some_and(|told| told.contains("sends without end")));
        standing.babbles(false);
        standing.answered(&request(1));
        let told = told(&mut standing);
        assert_eq!(told.as_deref(), Some("up a line; device 7 answers nothing sound"));
    }
}
