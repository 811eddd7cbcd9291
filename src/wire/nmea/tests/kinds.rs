//! A sentence of each kind, and the readings it has.

use crate::wire::harness::MISSING;

const NAN: f64 = MISSING;

const fn knots(knots: f64) -> f64 {
    knots * 1_852.0 / 3_600.0
}

/// What stands between the first byte and the checksum, and the readings with their names.
pub(super) const KINDS: &[(&str, &[(&str, f64)])] = &[
    ("WIMWV,57.5,R,13.0,N,A", &[("MWV.angle_relative", 57.5), ("MWV.speed_relative", knots(13.0))]),
    ("WIMWV,96.6,T,36,K,A", &[("MWV.angle_true", 96.6), ("MWV.speed_true", 10.0)]),
    ("WIMWV,57.5,R,13.0,M,V", &[("MWV.angle_relative", NAN), ("MWV.speed_relative", NAN)]),
    ("WIMWV,,T,,M,A", &[("MWV.angle_true", NAN), ("MWV.speed_true", NAN)]),
    ("WIMWV,57.5,X,13.0,N,A", &[]),
    (
        "WIMWD,328.2,T,326.8,M,11.2,N,5.8,M",
        &[
            ("MWD.direction_true", 328.2),
            ("MWD.direction_magnetic", 326.8),
            ("MWD.speed", knots(11.2)),
        ],
    ),
    ("WIVWR,020.0,L,,N,5.0,M,,K", &[("VWR.angle_relative", 340.0), ("VWR.speed_relative", 5.0)]),
    ("WIVWT,000.0,L,9,N,,M,,K", &[("VWT.angle_true", 0.0), ("VWT.speed_true", knots(9.0))]),
    ("SDDBT,17.0,f,5.1,M,2.8,F", &[("DBT.depth", 5.1)]),
    ("SDDBT,10.0,f,,M,,F", &[("DBT.depth", 10.0 * 0.304_8)]),
    ("SDDBS,,f,,M,2.0,F", &[("DBS.depth", 2.0 * 1.828_8)]),
    ("SDDBK,,f,,M,,F", &[("DBK.depth", NAN)]),
    ("SDDPT,5.3,0.4,", &[("DPT.depth", 5.3), ("DPT.offset", 0.4)]),
    ("SDMTW,,C", &[("MTW.temperature", NAN)]),
    ("INMTW,17.9,C", &[("MTW.temperature", 17.9)]),
    (
        "SDHDG,229.8,,,1.3,E",
        &[("HDG.heading", 229.8), ("HDG.deviation", NAN), ("HDG.variation", 1.3)],
    ),
    (
        "HCHDG,98.3,2.5,W,12.6,W",
        &[("HDG.heading", 98.3), ("HDG.deviation", -2.5), ("HDG.variation", -12.6)],
    ),
    ("HEHDT,274.07,T", &[("HDT.heading_true", 274.07)]),
    ("HCHDM,12.0,M", &[("HDM.heading_magnetic", 12.0)]),
    ("HETHS,12.0,V", &[("THS.heading_true", NAN)]),
    ("HEROT,-4.5,A", &[("ROT.rate", -4.5)]),
    ("AGRSA,-3.2,A,,V", &[("RSA.starboard", -3.2)]),
    ("AGRSA,1.0,A,2.0,A", &[("RSA.starboard", 1.0), ("RSA.port", 2.0)]),
    ("ERRPM,E,1,2418.2,10.5,A", &[("RPM.engine1_speed", 2418.2), ("RPM.engine1_pitch", 10.5)]),
    (
        "SDVHW,231.3,T,229.9,M,,N,36.0,K",
        &[("VHW.heading_true", 231.3), ("VHW.heading_magnetic", 229.9), ("VHW.speed", 36.0 / 3.6)],
    ),
    (
        "INVTG,77.5,T,93.3,M,5.2,N,9.7,K",
        &[("VTG.track_true", 77.5), ("VTG.track_magnetic", 93.3), ("VTG.speed", knots(5.2))],
    ),
    (
        "GPVTG,,T,,M,0.1,N,0.2,K,N",
        &[("VTG.track_true", NAN), ("VTG.track_magnetic", NAN), ("VTG.speed", NAN)],
    ),
    (
        "GPVTG,360.0,348.7,10.0,18.5",
        &[("VTG.track_true", 360.0), ("VTG.track_magnetic", 348.7), ("VTG.speed", knots(10.0))],
    ),
    (
        "VDVBW,11.0,02.0,A,07.6,01.2,V",
        &[
            ("VBW.water_ahead", knots(11.0)),
            ("VBW.water_starboard", knots(2.0)),
            ("VBW.ground_ahead", NAN),
            ("VBW.ground_starboard", NAN),
        ],
    ),
    (
        "IIVDR,10.0,T,12.0,M,1.5,N",
        &[("VDR.set_true", 10.0), ("VDR.set_magnetic", 12.0), ("VDR.drift", knots(1.5))],
    ),
    (
        "SDVLW,,N,545.6,N,1109.4,N,393.6,N",
        &[
            ("VLW.water_total", NAN),
            ("VLW.water_trip", 545.6 * 1_852.0),
            ("VLW.ground_total", 1_109.4 * 1_852.0),
            ("VLW.ground_trip", 393.6 * 1_852.0),
        ],
    ),
    (
        "WIMDA,29.7,I,1.006,B,20.1,C,,,45.0,,7.9,C,,T,,M,2.0,N,,M",
        &[
            ("MDA.pressure", 1.006 * 1e5),
            ("MDA.air_temperature", 20.1),
            ("MDA.water_temperature", NAN),
            ("MDA.relative_humidity", 45.0),
            ("MDA.dew_point", 7.9),
            ("MDA.direction_true", NAN),
            ("MDA.direction_magnetic", NAN),
            ("MDA.speed", knots(2.0)),
        ],
    ),
    ("WIMMB,30.0,I,,B", &[("MMB.pressure", 30.0 * 3_386.389)]),
    ("WIMHU,45.0,,7.9,C", &[("MHU.relative_humidity", 45.0), ("MHU.dew_point", 7.9)]),
    ("WIMTA,-1.5,C", &[("MTA.temperature", -1.5)]),
    (
        "GPGLL,2638.1726,N,08011.3892,W,030129.000,A,A",
        &[("GLL.latitude", 26.0 + 38.1726 / 60.0), ("GLL.longitude", -(80.0 + 11.3892 / 60.0))],
    ),
    (
        "GPGLL,2638.1726,S,08011.3892,W,030129.000,V,N",
        &[("GLL.latitude", NAN), ("GLL.longitude", NAN)],
    ),
    (
        "GPGGA,030129.00,2638.1726,S,08011.3892,E,1,06,1.5,-16,M,-0028,M,,",
        &[
            ("GGA.latitude", -(26.0 + 38.1726 / 60.0)),
            ("GGA.longitude", 80.0 + 11.3892 / 60.0),
            ("GGA.altitude", -16.0),
            ("GGA.satellites", 6.0),
            ("GGA.hdop", 1.5),
        ],
    ),
    (
        "GPGGA,030129.00,0000.0000,N,00000.0000,E,0,00,0.0,,M,,M,,",
        &[
            ("GGA.latitude", NAN),
            ("GGA.longitude", NAN),
            ("GGA.altitude", NAN),
            ("GGA.satellites", 0.0),
            ("GGA.hdop", NAN),
        ],
    ),
    (
        "GNGNS,112257.00,3844.24011,N,00908.43828,W,AN,03,10.5,9,0.0,,",
        &[
            ("GNS.latitude", 38.0 + 44.24011 / 60.0),
            ("GNS.longitude", -(9.0 + 8.43828 / 60.0)),
            ("GNS.altitude", 9.0),
            ("GNS.satellites", 3.0),
            ("GNS.hdop", 10.5),
        ],
    ),
    (
        "INRMC,194101,A,4426.1130,N,07140.5596,W,5.2,77.3,160906,15.8,W",
        &[
            ("RMC.latitude", 44.0 + 26.113 / 60.0),
            ("RMC.longitude", -(71.0 + 40.5596 / 60.0)),
            ("RMC.speed", knots(5.2)),
            ("RMC.track_true", 77.3),
            ("RMC.variation", -15.8),
        ],
    ),
    (
        "IIXDR,C,,C,AIRTEMP,A,-1.0,D,HEEL,P,1.02,B,BARO,C,212,F,,G,7,,tank",
        &[
            ("XDR.AIRTEMP", NAN),
            ("XDR.HEEL", -1.0),
            ("XDR.BARO", 1.02 * 1e5),
            ("XDR.C4", 100.0),
            ("XDR.tank", 7.0),
        ],
    ),
    ("GPGSV,3,3,11,24,51,098,55,30,33,110,50,31,60,230,47", &[]),
    ("PGRMZ,246,f,3", &[]),
];
