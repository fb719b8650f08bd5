//! Promise: what a page says a program prints is what it prints.
//!
//! Every listing is built with the dependencies that its page shows, run, and its output (with its exit status, if that isn't
//! 0) compared with its `.out` file, and what it says on standard error with its `.err` file. If `DATABASE_URL` names a
//! PostgreSQL server, what a listing prints there is compared with its `.postgresql.out` file. `cargo book bless` rewrites
//! the files.

use runs::build::build;
use runs::compare::run_and_check;
use std::process::ExitCode;
use suite::{Suite, book, texts};

mod suite;

fn main() -> ExitCode {
    let project = book();
    let listings = project.listings().expect("listings can be listed");
    let suite = Suite {
        name: "outputs",
        depends_on: |project, it| {
            let files = [
                it.source(),
                it.output(),
                it.postgresql_output(),
                it.errors(),
            ];
            texts(project, files)
        },
        build,
        check: run_and_check,
    };
    suite.run(project, listings)
}
