//! A hundred files, read whole: a trip through the blocking pool for each, or one for all.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::stream::{self, StreamExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const FILES: usize = 100;

type Paths = Arc<Vec<PathBuf>>;

async fn one_by_one(paths: Paths) -> io::Result<usize> {
    let mut bytes = 0;
    for path in paths.iter() {
        bytes += tokio::fs::read(path).await?.len();
    }
    Ok(bytes)
}

async fn eight_at_a_time(paths: Paths) -> io::Result<usize> {
    let mut reads = stream::iter(paths.to_vec())
        .map(tokio::fs::read)
        .buffer_unordered(8);
    let mut bytes = 0;
    while let Some(read) = reads.next().await {
        bytes += read?.len();
    }
    Ok(bytes)
}

fn all_of(paths: &[PathBuf]) -> io::Result<usize> {
    let mut bytes = 0;
    for path in paths {
        bytes += fs::read(path)?.len();
    }
    Ok(bytes)
}

async fn in_one_trip(paths: Paths) -> io::Result<usize> {
    tokio::task::spawn_blocking(move || all_of(&paths))
        .await
        .map_err(io::Error::other)?
}

/// Blocks its thread: for comparison only.
async fn in_place(paths: Paths) -> io::Result<usize> {
    all_of(&paths)
}

fn files(folder: &Path, size: usize) -> Paths {
    let paths: Vec<_> = (0..FILES)
        .map(|number| folder.join(format!("{size}-{number}")))
        .collect();
    for path in &paths {
        fs::write(path, vec![0; size]).expect("a file can be written");
    }
    Arc::new(paths)
}

fn run(
    runtime: &Runtime,
    size: usize,
    work: impl Future<Output = io::Result<usize>> + Send + 'static,
) {
    let task = runtime.spawn(work);
    let read = runtime.block_on(task).expect("it does not panic");
    assert_eq!(read.expect("the files can be read"), size * FILES);
}

fn file_reads(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().build().expect("a runtime");
    let folder = TempDir::new().expect("a folder");
    let mut group = criterion.benchmark_group("file_reads");
    for (row, size) in [("1_kib", 1 << 10), ("64_kib", 1 << 16)] {
        let paths = files(folder.path(), size);
        macro_rules! measure {
            ($way:literal, $work:path) => {
                group.bench_function(BenchmarkId::new($way, row), |bencher| {
                    bencher.iter(|| run(&runtime, size, $work(Arc::clone(&paths))));
                });
            };
        }
        measure!("in_one_trip", in_one_trip);
        measure!("in_place", in_place);
        measure!("eight_at_a_time", eight_at_a_time);
        measure!("one_by_one", one_by_one);
    }
    group.finish();
}

criterion_group!(benches, file_reads);
criterion_main!(benches);
