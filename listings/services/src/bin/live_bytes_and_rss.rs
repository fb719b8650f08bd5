//! Compare the live bytes with the process's resident memory (RSS).

// ANCHOR: memory
use std::{alloc::System, fs, io};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Handle;

/// Counts what the program allocates and frees.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The numbers to log once a minute, to see which of them grows.
struct Memory {
    /// Allocated and not freed, in bytes.
    live: usize,
    /// RSS, in bytes.
    resident: usize,
    tasks: usize,
}

impl Memory {
    /// Reads the counters. Needs Linux.
    fn now(runtime: &Handle) -> io::Result<Self> {
        let heap = HEAP.stats();
        let freed = heap.bytes_deallocated;
        Ok(Self {
            live: heap.bytes_allocated.saturating_sub(freed),
            resident: rss(&fs::read_to_string("/proc/self/status")?)?,
            tasks: runtime.metrics().num_alive_tasks(),
        })
    }
}

/// The line looks like `VmRSS:     3404 kB`.
fn rss(status: &str) -> io::Result<usize> {
    let line = status.lines().find(|it| it.starts_with("VmRSS:"));
    let words = line.and_then(|it| it.split_whitespace().nth(1));
    let kib = words.and_then(|it| it.parse::<usize>().ok());
    Ok(kib.ok_or(io::ErrorKind::InvalidData)? * 1024)
}
// ANCHOR_END: memory

use tokio::sync::mpsc;

// ANCHOR: burst
/// A burst of 100,000 messages of a KiB each, which are then handled.
fn burst(sessions: &mut Vec<Box<[u8]>>) -> io::Result<()> {
    let (send, mut messages) = mpsc::unbounded_channel();
    for _ in 0..100_000 {
        let message = vec![1_u8; 1024].into_boxed_slice();
        send.send(message).map_err(io::Error::other)?;
    }
    // A small value that stays, behind the messages in memory.
    sessions.push(vec![0; 4096].into_boxed_slice());
    print("the queue is full")?;

    while messages.try_recv().is_ok() {}
    drop((send, messages));
    print("all are handled")
}
// ANCHOR_END: burst

/// Prints both numbers, rounded so that each run prints the same.
fn print(when: &str) -> io::Result<()> {
    let memory = Memory::now(&Handle::current())?;
    let mib = |bytes: usize| (bytes / (1 << 20) + 25) / 50 * 50;
    let (live, rss) = (mib(memory.live), mib(memory.resident));
    let tasks = memory.tasks;
    println!(
        "{when:<18} live: {live:>3}, RSS: {rss:>3}, tasks: {tasks}"
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut sessions = Vec::new();
    print("start")?;
    for _ in 0..3 {
        burst(&mut sessions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> usize {
        Memory::now(&Handle::current()).expect("Linux").live
    }

    /// Other tests allocate at the same time, but little.
    #[tokio::test]
    async fn edges_a_vector_grows_and_shrinks() {
        const MANY: usize = 64 << 20;
        let before = live();
        let mut bytes = vec![0_u8; 1];
        bytes.reserve_exact(MANY);
        assert!(live() - before > MANY - MANY / 2);
        bytes.shrink_to_fit();
        assert!(live() < before + MANY / 2);
    }

    #[test]
    fn failure_to_read_it_is_an_error() -> io::Result<()> {
        assert_eq!(rss("Name: x\nVmRSS:\t  34 kB\n")?, 34 * 1024);
        for unreadable in ["", "VmRSS:", "VmRSS: many kB"] {
            assert!(rss(unreadable).is_err());
        }
        Ok(())
    }

    #[tokio::test]
    async fn owner_gone_leaves_no_task_in_the_count() -> io::Result<()>
    {
        let tasks = || Memory::now(&Handle::current());
        let task = tokio::spawn(std::future::pending::<()>());
        assert_eq!(tasks()?.tasks, 1);
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(tasks()?.tasks, 0);
        Ok(())
    }
}
