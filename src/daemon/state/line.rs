//! Whether the daemon's line of time goes on after a restart.
//!
//! Event time is an anchor plus CLOCK_BOOTTIME, which goes on while no daemon runs: with the same
//! anchor the line goes on as if nothing had happened, whatever was done to the wall clock. After a
//! reboot CLOCK_BOOTTIME has begun anew, and there is nothing but the wall clock to anchor the line
//! at.

use crate::{daemon::clock::Clocks, engine::image::Head};

/// Where a service that does not see all of /proc is told the boot id of its host.
pub const BOOT_ID_VARIABLE: &str = "STILLWELL_BOOT_ID";

/// The boot id of this host (random(4)), where /proc shows it or the service manager tells it.
#[must_use]
pub fn boot_id() -> Option<[u8; 16]> {
    let shown = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    parse(&shown.or_else(|| std::env::var(BOOT_ID_VARIABLE).ok())?)
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(number.to_be_bytes())
}

/// The anchor of the line that an image is of, if that goes on: the image was in memory, which no
/// reboot outlives, or is of this boot.
#[must_use]
pub fn goes_on(
    head: &Head,
    was_in_memory: bool,
    boot_id: Option<[u8; 16]>,
    clocks: Clocks,
) -> Option<i64> {
    let is_of_this_boot = was_in_memory || boot_id == Some(head.boot_id);
    // A line that was ahead of this one is of another boot, whatever it says.
    let now_ns = head.anchor_ns.checked_add(clocks.boot_ns)?;
    (is_of_this_boot && head.at_ns <= now_ns).then_some(head.anchor_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SECOND;

    const BOOT: [u8; 16] = [7; 16];

    fn head(anchor_s: i64, boot_s: i64) -> Head {
        let (anchor_ns, at_ns) = (anchor_s * SECOND, (anchor_s + boot_s) * SECOND);
        Head { at_ns, anchor_ns, boot_id: BOOT, ..Head::default() }
    }

    fn clocks(wall_s: i64, boot_s: i64) -> Clocks {
        Clocks { wall_ns: wall_s * SECOND, boot_ns: boot_s * SECOND }
    }

    #[test]
    fn over_a_restart_the_line_goes_on_whatever_the_wall_clock_says() {
        for wall_s in [0, 1_060, 5_000] {
            let anchor_ns = goes_on(&head(1_000, 50), false, Some(BOOT), clocks(wall_s, 60));
            assert_eq!(anchor_ns, Some(1_000 * SECOND));
        }
    }

    #[test]
    fn over_a_reboot_it_is_anchored_anew() {
        let other = Some([8; 16]);
        assert_eq!(goes_on(&head(1_000, 50), false, other, clocks(1_060, 60)), None);
        assert_eq!(goes_on(&head(1_000, 50), false, None, clocks(1_060, 60)), None, "nobody knows");
        assert_eq!(goes_on(&head(1_000, 50), true, Some(BOOT), clocks(1_060, 40)), None, "earlier");
    }

    #[test]
    fn what_was_in_memory_is_of_this_boot() {
        let anchor_ns = goes_on(&head(1_000, 50), true, None, clocks(1_060, 60));
        assert_eq!(anchor_ns, Some(1_000 * SECOND));
    }

    #[test]
    fn a_boot_id_is_sixteen_bytes() {
        let id = parse("0a1b2c3d-0000-0000-0000-0000000000ff\n").expect("one");
        assert_eq!((id[0], id[3], id[15]), (0x0a, 0x3d, 0xff));
        assert_eq!([parse(""), parse("12"), parse("not an id")], [None; 3]);
    }
}
