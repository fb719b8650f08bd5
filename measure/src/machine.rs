//! What machine this is, so that a reader can compare it with another one.

use anyhow::{Context, Result};
use sysinfo::{CpuRefreshKind, RefreshKind, System};

/// The cores, the processor, the memory, and the system: `2 cores (AMD EPYC), 24 GiB, Debian 12`.
///
/// Fails if the operating system doesn't report them.
pub fn description() -> Result<String> {
    let system = System::new_with_specifics(
        RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    )
    .context("the operating system reports neither processor nor memory")?;
    let cpus = system.cpus();
    let name = cpus.first().map_or("", |cpu| cpu.brand().trim());
    let name = if name.is_empty() { "unknown" } else { name };
    let gibibytes = system.total_memory().div_ceil(1 << 30);
    let os = System::long_os_version().context("the operating system doesn't report its name")?;
    Ok(format!(
        "{} cores ({name}), {gibibytes} GiB, {os}",
        cpus.len()
    ))
}
