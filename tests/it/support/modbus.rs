//! Modbus devices that are not ours, and a line to them that is late, loses and damages.

mod line;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

pub(crate) use self::line::{Faults, Line, Mode};
use crate::process::did_not_run;

/// Devices 1 and 2, each of whose registers holds a number that tells where it is, served by
/// pymodbus over TCP in either mode. 99 says that there is no pymodbus.
const SERVER: &str = r#"
import asyncio, sys
try:
    from pymodbus.framer import FramerType
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice
except ImportError:
    sys.exit(99)

def device(number):
    def words(table):
        values = [number * 8192 + table * 1024 + address for address in range(1000)]
        return [SimData(0, values=values, datatype=DataType.REGISTERS)]
    def bits(turn):
        values = [(address + turn) % 3 == 0 for address in range(1600)]
        return [SimData(0, values=values, datatype=DataType.BITS)]
    return SimDevice(number, simdata=(bits(0), bits(1), words(0), words(1)))

async def serve():
    framer = {"rtu": FramerType.RTU, "tcp": FramerType.SOCKET}[sys.argv[1]]
    devices = [device(number) for number in (1, 2)]
    server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    # Until whoever started this is gone.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
"#;

/// What a register of the devices holds.
pub(crate) fn held(device: u8, table: &str, address: u16) -> f64 {
    let table = match table {
        "holding" => 0,
        "input" => 1_024,
        other => panic!("{other} has no registers"),
    };
    (u16::from(device) * 8_192 + table + address).into()
}

/// The devices, which end with this.
#[derive(Debug)]
pub(crate) struct Devices {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Devices {
    /// Starts them; `None` if there is no pymodbus, which is said.
    ///
    /// # Panics
    /// With CI=true, if there is none.
    pub(crate) fn start(mode: Mode) -> Option<Self> {
        let mut command = Command::new("python3");
        command.args(["-c", SERVER, mode.name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut process) = command.stderr(Stdio::null()).spawn() else {
            did_not_run("python3 is not installed");
            return None;
        };
        let mut port = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut port).expect("it says its port, or ends");
        let Ok(port) = port.trim().parse::<u16>() else {
            let status = process.wait().expect("our child");
            assert_eq!(status.code(), Some(99), "the devices did not start");
            did_not_run("Python has no module pymodbus");
            return None;
        };
        Some(Self { process, address: ([127, 0, 0, 1], port).into() })
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
