//! Whole daemons: the real binary, its real inputs, its real socket.

mod authenticated;
mod calibration;
mod clients;
mod varlink;
mod config;
mod discover;
mod garbage;
mod histogram;
mod instances;
mod intruders;
mod ledger;
mod modbus;
mod oracle;
mod record;
mod reload;
mod replay;
mod sealed;
mod serial;
mod shards;
mod shutdown;
mod sockets;
mod state;
mod tap;
mod udp;
