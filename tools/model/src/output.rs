//! The outputs of a listing that a page shows: one, or one for each database.

use crate::problem::Problem;
use crate::program::ProgramId;
use crate::project::Project;
use crate::source::Source;

/// The variable that names a PostgreSQL server for the listings.
pub const DATABASE_URL: &str = "DATABASE_URL";

/// The variable that names a PgBouncer in front of the same server.
pub const PGBOUNCER_URL: &str = "PGBOUNCER_URL";

/// What a listing prints that has nothing to show without a PostgreSQL server.
pub const NEEDS_POSTGRESQL: &str = "this program needs PostgreSQL: set DATABASE_URL\n";

/// What a listing prints that has nothing to show without a PgBouncer.
pub const NEEDS_PGBOUNCER: &str = "this program needs PgBouncer: set PGBOUNCER_URL\n";

/// An output that a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The file with the output, relative to the book's root.
    pub file: String,
    /// The database that the listing used, if it has an output for PostgreSQL.
    pub database: Option<&'static str>,
}

/// The outputs that `{{#output}}` shows of a listing, or of an unstable program: at least one.
///
/// # Errors
///
/// A file can't be read.
pub fn shown(project: &Project, id: &ProgramId) -> Result<Vec<Output>, Problem> {
    let database = |file: String, database| Output { file, database };
    if project.has(&id.unstable()) {
        return Ok(vec![database(id.unstable_output(), None)]);
    }
    let (sqlite, postgresql) = (id.output(), id.postgresql_output());
    if !project.has(&postgresql) {
        return Ok(vec![database(sqlite, None)]);
    }
    let needs_it = project.has(&sqlite)
        && [NEEDS_POSTGRESQL, NEEDS_PGBOUNCER].contains(&&*project.read(&sqlite)?);
    let postgresql = database(postgresql, Some("PostgreSQL"));
    Ok(match needs_it {
        true => vec![postgresql],
        false => vec![database(sqlite, Some("SQLite")), postgresql],
    })
}

/// Whether a listing uses the PostgreSQL server that a variable names, and not only its tests do.
///
/// # Errors
///
/// The listing can't be read.
pub fn uses_postgresql(project: &Project, id: &ProgramId) -> Result<bool, Problem> {
    let text = project.read(&id.source())?;
    let source = Source::parse(&text);
    Ok(source.is_ok_and(|source| {
        let program = source.program_without_tests();
        let reads = |variable| program.contains(&format!("\"{variable}\""));
        [DATABASE_URL, PGBOUNCER_URL].into_iter().any(reads)
    }))
}
