//! The golden frames of the format: bytes, and the same bytes stuffed for a serial line.

/// One golden frame.
pub(crate) struct Vector {
    /// What it shows.
    pub(crate) name: &'static str,
    /// The frame in hexadecimal.
    pub(crate) frame: &'static str,
    /// The frame stuffed, with the ending zero; empty for the one that is broken on purpose.
    pub(crate) serial: &'static str,
}

impl Vector {
    /// The frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        unhex(self.frame)
    }

    /// The frame as it goes over a serial line.
    pub(crate) fn serial_bytes(&self) -> Vec<u8> {
        unhex(self.serial)
    }
}

/// The golden frame of this name.
pub(crate) fn vector(name: &str) -> &'static Vector {
    VECTORS.iter().find(|vector| vector.name == name).expect("a name from the table")
}

/// Bytes from hexadecimal digits.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// All of them; the last has one bit flipped.
#[rustfmt::skip]
pub(crate) const VECTORS: [Vector; 7] = [
    Vector {
        name: "one_f32x3",
        frame: "f510000044332211efbe030a0100000000401e18240a060000030700010000000000713d\
            ac41cdcc3442cd4c7d4406092af1",
        serial: "03f510010a44332211efbe030a0101010107401e18240a06010303070201010101011171\
            3dac41cdcc3442cd4c7d4406092af100",
    },
    Vector {
        name: "one_i16x3",
        frame: "f510000044332211efbe030a0200000040822d18240a0600000303000100000000006908\
            c40194271f824a54",
        serial: "03f510010a44332211efbe030a0201010840822d18240a06010303030201010101010b69\
            08c40194271f824a5400",
    },
    Vector {
        name: "batch20_i16x3",
        frame: "f510000044332211efbe01ff03000000404b4c000000000000030300140050c300006908\
            c40194276a08c40194276b08c40194276c08c40194276d08c40194276e08c40194276f08\
            c40194277008c40194277108c40194277208c40194277308c40194277408c40194277508\
            c40194277608c40194277708c40194277808c40194277908c40194277a08c40194277b08\
            c40194277c08c4019427250b7771",
        serial: "03f510010a44332211efbe01ff03010104404b4c010101010103030302140350c3017d69\
            08c40194276a08c40194276b08c40194276c08c40194276d08c40194276e08c40194276f\
            08c40194277008c40194277108c40194277208c40194277308c40194277408c401942775\
            08c40194277608c40194277708c40194277808c40194277908c40194277a08c40194277b\
            08c40194277c08c4019427250b777100",
    },
    Vector {
        name: "irregular_u32_counter",
        frame: "f510010407000000010001ff0000000090d0030000000000090106010300000000000000\
            0000e8030000c4090000faffffffffffffff0300000042e8fbbb",
        serial: "06f510010407010102010301ff0101010490d00301010101060901060103010101010101\
            010103e8030103c409010afaffffffffffffff0301010542e8fbbb00",
    },
    Vector {
        name: "missing_values",
        frame: "f510000307000000010000ff010000000000000000000000000203000100000000000080\
            6400020107000100000000000000c07f192a3784",
        serial: "03f510030307010102010103ff0101010101010101010101010302030201010101010103\
            806404020107020101010101010107c07f192a378400",
    },
    Vector {
        name: "announce",
        frame: "f511010044332211efbe030a0000000000401e18240a06007b226e223a2265737033322d\
            3137222c2263223a5b5b2274222c2243656c222c302e30315d2c5b2268222c2225222c30\
            2e315d2c5b2270222c22685061222c302e315d5d7dae25bc44",
        serial: "04f511010944332211efbe030a0101010107401e18240a064a7b226e223a226573703332\
            2d3137222c2263223a5b5b2274222c2243656c222c302e30315d2c5b2268222c2225222c\
            302e315d2c5b2270222c22685061222c302e315d5d7dae25bc4400",
    },
    Vector {
        name: "bad_crc",
        frame: "f510000044332211efbe030a0100000000401e18240a060000030700010000000000713d\
            ac41cdcc3542cd4c7d4406092af1",
        serial: "",
    },
];
