//! Writes the table of the solutions that the program `candidate` consists of: the references and the wrong ones in `tasks/`,
//! or those in the folder that `EXAM_SOLUTIONS` names (`TASK.rs` for each task; `EXAM_WITHOUT` names tasks to leave out).

use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=EXAM_SOLUTIONS");
    println!("cargo::rerun-if-env-changed=EXAM_WITHOUT");
    println!("cargo::rerun-if-changed=tasks");
    let tasks = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("tasks");
    let candidates = match std::env::var("EXAM_SOLUTIONS") {
        Ok(folder) => {
            println!("cargo::rerun-if-changed={folder}");
            submitted(&tasks, Path::new(&folder))?
        }
        Err(_) => own(&tasks)?,
    };
    let (mut modules, mut table) = (String::new(), String::new());
    for Candidate {
        task,
        solution,
        file,
    } in &candidates
    {
        let tests = tasks.join(task).join("tests.rs");
        modules += &format!(
            "mod {task}__{solution} {{ #[path = {file:?}] pub mod solution; #[path = {tests:?}] pub mod tests; }}\n"
        );
        table += &format!(
            "exam::Candidate {{ task: {task:?}, solution: {solution:?}, tests: {task}__{solution}::tests::TESTS }},\n"
        );
    }
    let text = format!("{modules}pub const CANDIDATES: &[exam::Candidate] = &[\n{table}];\n");
    fs::write(
        Path::new(&std::env::var("OUT_DIR")?).join("candidates.rs"),
        text,
    )?;
    Ok(())
}

struct Candidate {
    task: String,
    solution: String,
    file: PathBuf,
}

/// The references and the wrong solutions.
fn own(tasks: &Path) -> std::io::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for folder in sorted(tasks)? {
        for file in sorted(&folder)? {
            let solution = stem(&file);
            if solution == "reference" || solution.starts_with("wrong_") {
                candidates.push(Candidate {
                    task: stem(&folder),
                    solution,
                    file,
                });
            }
        }
    }
    Ok(candidates)
}

/// The solutions in a folder. A task without one is left out here, and counted as failed by the grader.
fn submitted(tasks: &Path, folder: &Path) -> std::io::Result<Vec<Candidate>> {
    let without = std::env::var("EXAM_WITHOUT").unwrap_or_default();
    let mut candidates = Vec::new();
    for task in sorted(tasks)?.iter().map(|it| stem(it)) {
        let file = folder.join(format!("{task}.rs"));
        if file.exists() && !without.split(',').any(|it| it == task) {
            candidates.push(Candidate {
                task,
                solution: "solution".to_owned(),
                file,
            });
        }
    }
    Ok(candidates)
}

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|it| it.map(|it| it.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
