//! Promise: every program that a reader sees, hidden lines included, compiles and runs as it stands on the page.
//!
//! The pages are rendered, the programs read back out of the HTML and put into Markdown, and skeptic takes every program out
//! of that, as it would for a reader's own book. Each must be the text of its listing, letter for letter (but for anchors, and
//! for tests that the page doesn't show); then the executable that cargo built from that text runs and prints what the page
//! says. A program that isn't its listing's text fails here, so none is left for skeptic to compile a second time.
//!
//! skeptic is made for build scripts: it takes its folders from environment variables, and writes tests. So this program starts
//! itself once more for it, and reads the programs out of the tests that skeptic writes.

use anyhow::{Context, Result, bail, ensure};
use model::{ProgramId, Project, census};
use render::site;
use runs::build::build;
use runs::compare::run_and_check;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use suite::{Suite, book, text, texts};
use verify::blocks::{Origin, rust_blocks};
use verify::checks::is_of_program;

mod suite;

/// The variable that makes this process call skeptic: the folder with the Markdown.
const EXTRACT: &str = "BOOK_SKEPTIC_MARKDOWN";

/// The texts that pages show of each listing, as skeptic read them, each with its pages.
static SHOWN: OnceLock<BTreeMap<ProgramId, BTreeMap<String, BTreeSet<String>>>> = OnceLock::new();

fn main() -> ExitCode {
    if let Some(folder) = env::var_os(EXTRACT) {
        skeptic::generate_doc_tests(&markdown_files(Path::new(&folder)));
        return ExitCode::SUCCESS;
    }
    let project = book();
    let shown = match shown_programs(&project) {
        Ok(shown) => SHOWN.get_or_init(|| shown),
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let suite = Suite {
        name: "skeptic",
        depends_on: |project, name| {
            let mut texts = texts(
                project,
                [name.source(), name.output(), name.postgresql_output()],
            )?;
            texts.extend(shown_of(name).keys().cloned());
            Ok(texts)
        },
        build,
        check: |project, built, name| {
            let source = text(project, &name.source()).map_err(|error| format!("{error:#}"))?;
            for (shown, pages) in shown_of(name) {
                if !is_of_program(&source, shown, false) {
                    let pages: Vec<_> = pages.iter().map(String::as_str).collect();
                    return Err(format!(
                        "the program that {} shows as {name} is not the text of {}:\n{shown}",
                        pages.join(", "),
                        name.source()
                    ));
                }
            }
            run_and_check(project, built, name)
        },
    };
    suite.run(project, shown.keys().cloned().collect())
}

fn shown_of(name: &ProgramId) -> &'static BTreeMap<String, BTreeSet<String>> {
    let shown = SHOWN.get().and_then(|shown| shown.get(name));
    shown.expect("each test is one of a shown listing")
}

/// Renders the pages, and has skeptic read the programs on them.
fn shown_programs(
    project: &Project,
) -> Result<BTreeMap<ProgramId, BTreeMap<String, BTreeSet<String>>>> {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeptic");
    let rendered = work.join("site");
    let markdown = work.join("markdown");
    if markdown.exists() {
        fs::remove_dir_all(&markdown).context("cannot empty the folder for skeptic")?;
    }
    for folder in [&rendered, &markdown] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut programs: Vec<(ProgramId, String)> = Vec::new();
    let mut blocks = 0;
    for page in site::build(project, &rendered)? {
        let html = fs::read_to_string(rendered.join(&page.html))
            .with_context(|| format!("cannot read {}", page.html.display()))?;
        for block in rust_blocks(&html) {
            blocks += 1;
            match block.origin {
                // Part of a long program, which doesn't compile alone.
                Some(Origin::Listing(name)) if block.is_excerpt => {
                    let name = ProgramId::parse(&name).map_err(anyhow::Error::msg)?;
                    let source = project.read(&name.source())?;
                    ensure!(
                        is_of_program(&source, &block.program, true),
                        "{}: this part of {name} is not in {}:\n{}",
                        page.source,
                        name.source(),
                        block.program
                    );
                }
                Some(Origin::Listing(name)) => {
                    let name = ProgramId::parse(&name).map_err(anyhow::Error::msg)?;
                    let file = markdown.join(format!("program_{:05}.md", programs.len()));
                    let program = for_skeptic(&block.program);
                    fs::write(&file, format!("````````rust\n{program}````````\n"))
                        .with_context(|| format!("cannot write {}", file.display()))?;
                    programs.push((name, page.source.clone()));
                }
                Some(Origin::CompileFail(_) | Origin::Unstable(_) | Origin::Source(_)) => {}
                None => bail!(
                    "{}: a block of Rust that no directive made, so nothing checks it:\n{}",
                    page.source,
                    block.program
                ),
            }
        }
    }
    let counted = census::count(project, "blocks")?;
    ensure!(
        counted == blocks,
        "{blocks} blocks of Rust are on the rendered pages, but src/verified.md says {counted}"
    );
    let texts = extract(&markdown, &work)?;
    ensure!(
        texts.len() == programs.len() && !texts.is_empty(),
        "skeptic found {} programs in {} blocks",
        texts.len(),
        programs.len()
    );
    let mut shown: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
    for ((name, page), text) in programs.into_iter().zip(texts) {
        let texts = shown.entry(name).or_default();
        texts.entry(text).or_default().insert(page);
    }
    Ok(shown)
}

/// The programs that skeptic finds in these files, in their order.
fn extract(markdown: &Path, work: &Path) -> Result<Vec<String>> {
    let output = Command::new(env::current_exe().context("cannot find this program itself")?)
        .env(EXTRACT, markdown)
        .env("OUT_DIR", work)
        .env("CARGO_MANIFEST_DIR", markdown)
        .env("TARGET", env::consts::ARCH)
        .output()
        .context("cannot start this program again")?;
    ensure!(
        output.status.success(),
        "skeptic cannot read the programs:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tests =
        fs::read_to_string(work.join("skeptic-tests.rs")).context("skeptic wrote no tests")?;
    // A test is `format!(r####"template"####, r####"program"####)`.
    let strings = tests.split("r####\"").skip(1);
    let strings = strings.filter_map(|string| Some(string.split_once("\"####")?.0.to_owned()));
    Ok(strings.skip(1).step_by(2).collect())
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder with the Markdown is there");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a file can be listed").path())
        .collect();
    files.sort();
    files
}

/// skeptic removes a leading `# ` from every line, as the mark of a hidden line; here nothing is hidden.
fn for_skeptic(program: &str) -> String {
    let mut text = String::new();
    for line in program.lines() {
        let start = line.trim_start();
        if start.starts_with("# ") || start == "#" {
            text.push_str("# ");
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}
