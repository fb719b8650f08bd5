//! What machine this is, for a reader who compares it with another one.

use anyhow::{Context, Result};
use sysinfo::{CpuRefreshKind, RefreshKind, System};

/// The processor, its cores, the memory and the system: `2 cores of an AMD EPYC, 24 GiB, Debian 12`.
///
/// # Errors
///
/// The system does not tell.
pub fn description() -> Result<String> {
    let system = System::new_with_specifics(
        RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    )
    .context("the system does not tell its processor and memory")?;
    let cpus = system.cpus();
    let name = cpus.first().map_or("", |cpu| cpu.brand().trim());
    let name = if name.is_empty() { "unknown" } else { name };
    let gibibytes = system.total_memory().div_ceil(1 << 30);
    let os = System::long_os_version().context("the system does not tell its name")?;
    Ok(format!(
        "{} cores ({name}), {gibibytes} GiB, {os}",
        cpus.len()
    ))
}
