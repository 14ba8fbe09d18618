//! The machine class: what a duration depends on, rounded until it names no machine.

use std::fs;

/// What steps run on.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Processors this process may use.
    pub cores: u32,
    /// Memory this process may use, in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// Returns the machine that meow runs on, within the bounds that a container sets.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let total = memory_total(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
        let bound = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
        Self {
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory_bytes: match (total, bound) {
                (Some(total), Some(bound)) => Some(total.min(bound)),
                (total, bound) => total.or(bound),
            },
        }
    }

    /// Returns its class, such as `linux-x86_64-2c-24g`.
    pub fn class(&self) -> String {
        let memory = self.memory_bytes.map(|bytes| format!("-{}g", gigabytes(bytes))).unwrap_or_default();
        format!("{}-{}-{}c{memory}", std::env::consts::OS, std::env::consts::ARCH, self.cores)
    }
}

/// Returns a word for this start of this machine.
pub fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes.saturating_mul(1024))
}

/// Rounds up to 1, 2, 3, 4, 6, 8, 12, 16, 24 … GiB; a twentieth above a size still counts as it, because systems keep
/// some memory back and report the rest.
fn gigabytes(bytes: u64) -> u64 {
    let sizes = (0..40_u32).flat_map(|power| [1_u64 << power, 3_u64 << power.saturating_sub(1)]);
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.sort_unstable();
    let twentieths = bytes.saturating_mul(20) >> 30;
    sizes.into_iter().find(|size| twentieths <= size * 21).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded_to_the_size_that_was_bought() {
        let check = |kibibytes: u64, expected: u64| assert_eq!(gigabytes(kibibytes * 1024), expected, "{kibibytes}");
        check(0, 1);
        check(1_000_000, 1);
        check(2_030_000, 2);
        check(7_900_000, 8);
        check(16_300_000, 16);
        check(16_900_000, 16);
        check(24_600_000, 24);
        check(32_700_000, 32);
        check(65_000_000, 64);
        assert_eq!(memory_total("MemFree: 1 kB\nMemTotal:       16300000 kB\n"), Some(16_300_000 * 1024));
    }

    #[test]
    fn the_class_names_no_machine() {
        let class = Machine { cores: 2, memory_bytes: Some(24 << 30) }.class();
        assert!(class.ends_with("-2c-24g"), "{class}");
        assert!(Machine { cores: 8, memory_bytes: None }.class().ends_with("-8c"));
    }
}
