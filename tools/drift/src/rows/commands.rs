//! Commands and paths in the prose: they work.

use super::inserted;
use crate::breakage::{Breakage, Check};
use crate::snapshot::BookSnapshot;
use crate::text::substituted;
use fastrand::Rng;

/// Promise 12.
pub fn broken_commands(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let command = || Check::one("commands", "every_command_works");
    let path = || Check::one("commands", "every_path_exists");
    let mut breakages = Vec::new();
    for (block, reported, check) in [
        ("Run `cargo run --bin never_written`.", 0, command()),
        ("Run `cargo book sevre`.", 0, command()),
        ("Run `crago test`.", 0, command()),
        ("Run `cargo test --test promises`.", 0, command()),
        ("```console\n$ cargo bless all\n```", 1, command()),
        ("See `listings/tasks/never.rs`.", 0, path()),
        (
            "The program is listings/tasks/src/bin/never.rs, too.",
            0,
            path(),
        ),
        ("See `tool/book/`.", 0, path()),
    ] {
        breakages.extend(inserted(snapshot, rng, block, reported, check));
    }
    let readme = snapshot.file("README.md");
    for (expression, replacement, what, check) in [
        (
            r"`cargo run --bin (\w+)`",
            "`cargo run --bin ${1}_old`",
            "runs a listing that doesn't exist",
            command(),
        ),
        (
            r"^\$ cargo book serve$",
            "$$ cargo book server",
            "has a command that doesn't exist",
            command(),
        ),
        (
            r"`tests/(\w+)\.rs`",
            "`tests/${1}_old.rs`",
            "names a file that doesn't exist",
            path(),
        ),
    ] {
        let lines = readme.lines();
        breakages.extend(substituted(
            rng,
            lines,
            expression,
            replacement,
            what,
            check,
        ));
    }
    breakages
}
