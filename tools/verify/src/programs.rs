//! The programs of the book, of whatever kind.

use crate::failed;
use model::output;
use model::problem::Problem;
use model::program::{ProgramId, ProgramKind};
use model::project::Project;

/// A program of the book.
pub struct Program {
    pub id: ProgramId,
    pub kind: ProgramKind,
    /// Its source file, relative to the root.
    pub file: String,
    /// The files that record what it prints and does or, if it must not compile, what the compiler says. Not every
    /// program has all of them.
    pub records: Vec<String>,
}

/// All programs: listings first, then programs that must not compile, then unstable ones.
pub fn all(project: &Project) -> Result<Vec<Program>, Problem> {
    let mut programs = Vec::new();
    for kind in [
        ProgramKind::Listing,
        ProgramKind::CompileFail,
        ProgramKind::Unstable,
    ] {
        let ids = project.programs(kind).map_err(failed("listings"))?;
        for id in ids {
            let records = match kind {
                ProgramKind::Listing => {
                    let postgresql = output::uses_postgresql(project, &id)?;
                    let postgresql = postgresql.then(|| id.postgresql_output());
                    let records = [id.output(), id.errors(), id.timeline()];
                    records.into_iter().chain(postgresql).collect()
                }
                ProgramKind::CompileFail => vec![id.stderr()],
                ProgramKind::Unstable => vec![id.unstable_output()],
            };
            programs.push(Program {
                file: id.file(kind),
                id,
                kind,
                records,
            });
        }
    }
    Ok(programs)
}
