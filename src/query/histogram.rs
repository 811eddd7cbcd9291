//! The bins behind the percentiles of a window, as a JSON object: HdrHistogram's own form in an
//! envelope that says what it leaves open.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    json::{Rfc3339, Text, optional},
    page::{Header, array, element},
    summary::empty_line,
};
use crate::{
    engine::{
        Window,
        bins::export::Export,
        desk::{Pick, Told},
        duration::Nanoseconds,
        snapshot::ChannelInfo,
    },
    limits::{REPLY_BYTES_MAX, REPLY_ENVELOPE_BYTES},
};

/// The histograms of one reply.
#[derive(Debug, Default)]
pub struct Histograms {
    elements: Vec<u8>,
}

impl Histograms {
    /// Those of the picks that were told, as many as fit; and the id of the first that does not.
    #[must_use]
    pub fn of<'a>(told: &'a Told, picks: &[Pick]) -> (Self, Option<&'a str>) {
        let mut page = Self::default();
        for (pick, export) in picks.iter().zip(&told.exports) {
            let line = HistogramLine::new(told, *pick, export.as_ref());
            let length = page.elements.len();
            element(&mut page.elements, &line);
            // One is told in any case, and always fits: so that a walk of pages ends.
            if length != 0 && REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES < page.elements.len() {
                page.elements.truncate(length);
                return (page, Some(&line.info.id));
            }
        }
        (page, None)
    }

    /// The reply, without terminator.
    #[must_use]
    pub fn reply(&self, header: &Header<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.elements.len() + 512);
        header.open(&mut out);
        array(&mut out, ",\"histograms\":[", &self.elements);
        header.close(&mut out);
        out
    }
}

/// The envelope of one window.
#[derive(Clone, Copy, Debug)]
struct HistogramLine<'a> {
    info: &'a Arc<ChannelInfo>,
    window: Window,
    end_ns: Option<i64>,
    n: u64,
    out_of_range: u64,
    /// The bins, unless they were given up.
    export: Option<&'a Export>,
}

impl<'a> HistogramLine<'a> {
    fn new(told: &'a Told, pick: Pick, export: Option<&'a Export>) -> Self {
        let view = told.snapshot.channel(pick.channel);
        let info = told.snapshot.directory.info(pick.channel);
        let window = info.rules.window(pick.window);
        let summary = view.summary(pick.window);
        let watermark_ns = told.snapshot.watermarks.get(info.lane).copied().unwrap_or(i64::MIN);
        let empty = || empty_line(info, &window, watermark_ns, None).map(|line| line.end_ns());
        debug_assert!(export.is_none_or(|of| of.n == summary.as_ref().map_or(0, |s| s.n)));
        Self {
            info,
            window,
            end_ns: summary.as_ref().map(|summary| summary.end_ns).or_else(empty),
            n: summary.as_ref().map_or(0, |summary| summary.n),
            out_of_range: summary.as_ref().map_or(0, |summary| summary.out_of_range),
            export,
        }
    }
}

impl Serialize for HistogramLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { info, window, end_ns, n, out_of_range, export } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*info.id)?;
        optional(&mut map, "unit", info.unit.as_deref())?;
        map.serialize_entry("window", &Text(Nanoseconds(window.length_ns)))?;
        map.serialize_entry("every", &Text(Nanoseconds(window.every_ns)))?;
        optional(&mut map, "end", end_ns.map(Rfc3339))?;
        map.serialize_entry("n", &n)?;
        optional(&mut map, "out_of_range", Some(out_of_range).filter(|n| *n != 0))?;
        map.serialize_entry("resolution", &info.rules.resolution)?;
        let Some(export) = export else {
            map.serialize_entry("withheld", &true)?;
            return map.end();
        };
        map.serialize_entry("figures", &export.figures)?;
        for (key, payload) in [("positive", &export.positive), ("negative", &export.negative)] {
            optional(&mut map, key, Some(Base64(payload)).filter(|_| !payload.is_empty()))?;
        }
        map.end()
    }
}

/// Bytes as text: RFC 4648, section 4.
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::with_capacity(self.0.len().div_ceil(3) * 4);
        for piece in self.0.chunks(3) {
            let mut three = [0; 3];
            three[..piece.len()].copy_from_slice(piece);
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for at in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= piece.len() { char::from(letter) } else { '=' });
            }
        }
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::page::HostClock;
    use crate::query::page::tests::{AT_NS, snapshot_of};

    fn export(bytes: &[u8]) -> Export {
        Export { figures: 2, n: 598, positive: bytes.into(), negative: Box::default() }
    }

    fn told(ids: &[&str], exports: Vec<Option<Export>>) -> (Told, Vec<Pick>) {
        let snapshot = Arc::new(snapshot_of(ids));
        let picks = (0..exports.len() as u32).map(|channel| Pick { channel, window: 1 });
        let picks = picks.collect();
        (Told { snapshot, exports }, picks)
    }

    #[test]
    fn an_envelope_reads_as_documented() {
        let (told, picks) = told(&["a", "b"], vec![Some(export(b"\xFF\xFE")), None]);
        let (page, next) = Histograms::of(&told, &picks);
        assert_eq!(next, None);
        let header = Header {
            continues: false,
            epoch: 3,
            seq: 1,
            now_ns: AT_NS,
            clock: HostClock { name: "synced", error_ms: None },
            skipped: None,
            next,
        };
        assert_eq!(
            String::from_utf8(page.reply(&header)).expect("text"),
            concat!(
                r#"{"parameters":{"epoch":3,"seq":1,"time":"2026-11-23T01:02:06Z","#,
                r#""clock":"synced","histograms":["#,
                r#"{"id":"a","unit":"Cel","window":"1m","every":"6s","end":"2026-11-23T01:02:06Z","#,
                r#""n":598,"resolution":0.01,"figures":2,"positive":"//4="},"#,
                r#"{"id":"b","unit":"Cel","window":"1m","every":"6s","end":"2026-11-23T01:02:06Z","#,
                r#""n":598,"resolution":0.01,"withheld":true}]}}"#
            )
        );
    }

    /// Those of RFC 4648, section 10.
    #[test]
    fn text_of_bytes_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let said = serde_json::to_string(&Base64(bytes.as_bytes())).expect("serialises");
            assert_eq!(said, format!("\"{text}\""));
        }
    }

    #[test]
    fn what_does_not_fit_is_for_the_next_page() {
        let largest = || Some(export(&vec![0; crate::limits::HISTOGRAM_BYTES_MAX]));
        let (told, picks) = told(&["a", "b"], vec![largest(), largest()]);
        let (page, next) = Histograms::of(&told, &picks);
        assert_eq!(next, Some("b"));
        assert!(page.elements.len() < REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES);
    }
}
