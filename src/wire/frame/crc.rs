//! The checksum of a frame.

/// CRC-32 as zlib computes it: reflected polynomial EDB88320, all ones before and after.
///
/// Eight bytes a step from eight tables (Kounavis and Berry, "A systematic approach to building
/// high performance software-based CRC generators", 2005).
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = !0_u32;
    for chunk in chunks {
        let [a, b, c, d, e, f, g, h] = *chunk;
        let low = crc ^ u32::from_le_bytes([a, b, c, d]);
        let [a, b, c, d] = low.to_le_bytes();
        crc = CRC[7][usize::from(a)]
            ^ CRC[6][usize::from(b)]
            ^ CRC[5][usize::from(c)]
            ^ CRC[4][usize::from(d)]
            ^ CRC[3][usize::from(e)]
            ^ CRC[2][usize::from(f)]
            ^ CRC[1][usize::from(g)]
            ^ CRC[0][usize::from(h)];
    }
    for &byte in rest {
        crc = crc >> 8 ^ CRC[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

/// `CRC[k][b]`: the remainder of byte `b` followed by `k` zero bytes.
static CRC: [[u32; 256]; 8] = crc_tables();

const fn crc_tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut k = 1;
        while k < 8 {
            let before = tables[k - 1][byte];
            tables[k][byte] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            k += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_zlibs() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        // The remainder over a message and its own checksum is a constant of the polynomial.
        assert_eq!(crc32(b"123456789\x26\x39\xF4\xCB"), 0x2144_DF1C);
    }

    #[test]
    fn eight_at_a_time_is_one_at_a_time() {
        let bytes: [u8; 64] = core::array::from_fn(|i| (i * 37 + 11) as u8);
        for end in 0..=bytes.len() {
            let one_by_one = bytes[..end]
                .iter()
                .fold(!0_u32, |crc, &byte| crc >> 8 ^ CRC[0][usize::from(crc as u8 ^ byte)]);
            assert_eq!(crc32(&bytes[..end]), !one_by_one, "{end} bytes");
        }
    }
}
