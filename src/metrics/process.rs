//! What the operating system says of the process.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use std::{fmt, fs, time::Duration};

/// Adds what there is to be told now.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(ThisProcess));
}

#[derive(Debug)]
struct ThisProcess;

impl Collector for ThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut tell = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let seconds = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default().as_secs_f64();
        tell("process_cpu_seconds", "The time that the processors spent on the process.", &ConstCounter::new(seconds))?;
        if let Some(bytes) = resident_bytes() {
            tell("process_resident_memory_bytes", "The memory that the process has.", &ConstGauge::new(bytes))?;
        }
        if let Some(files) = open_files() {
            tell("process_open_fds", "How many files and connections are open.", &ConstGauge::new(files))?;
        }
        let most = getrlimit(Resource::Nofile).current.and_then(|most| i64::try_from(most).ok());
        tell(
            "process_max_fds",
            "How many files and connections may be open.",
            &ConstGauge::new(most.unwrap_or(i64::MAX)),
        )
    }
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn open_files() -> Option<i64> {
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}
