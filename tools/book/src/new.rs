//! `cargo book new`: starts a listing, a mistake with its fix, or a page.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use model::hazards::Declarations;
use model::source::Source;
use model::{ProgramId, Project};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut};

/// What to start.
#[derive(Args)]
pub struct New {
    /// The listing's name, as part/name: tasks/my_listing
    #[arg(value_parser = ProgramId::parse, required_unless_present = "page")]
    listing: Option<ProgramId>,
    /// Write the mistake that the listing fixes as well
    #[arg(long, value_name = "PART/NAME", value_parser = ProgramId::parse, requires = "listing")]
    wrong: Option<ProgramId>,
    /// Write a page, and add it to src/SUMMARY.md and published.txt
    #[arg(long, value_name = "PART/NAME", value_parser = ProgramId::parse)]
    page: Option<ProgramId>,
    /// The page's title; by default it is made from the page's name
    #[arg(long, requires = "page")]
    title: Option<String>,
    /// Show this listing, which exists already, on the page; may be repeated
    #[arg(long = "listing", id = "show", value_name = "PART/NAME", value_parser = ProgramId::parse, requires = "page")]
    show: Vec<ProgramId>,
}

const LISTING: &str = include_str!("../skeleton/listing.rs");
const WRONG: &str = include_str!("../skeleton/wrong.rs");
const PAGE: &str = include_str!("../skeleton/page.md");

/// The line that is the mistake in [`WRONG`], and what fixes it.
const MISTAKE: &str = "[settle(7).await, settle(8).await]";
const FIX: &str = "let (first, second) = tokio::join!(settle(7), settle(8));\n    [first, second]";

/// What else differs between a mistake and its fix.
const DIFFERENCES: [(&str, &str); 5] = [
    ("Wrong: what goes wrong", "What the fix does"),
    (": mistake", ": pattern"),
    (
        "The second one waits for the first.",
        "Neither one waits for the other.",
    ),
    ("as_long_as_both_together", "as_long_as_one"),
    ("from_millis(200)", "from_millis(100)"),
];

/// Where `cargo book drift` reads how each mistake is fixed.
const FIXES: &str = "listings/fixes.toml";
const SUMMARY: &str = "src/SUMMARY.md";
const PUBLISHED: &str = "published.txt";

/// Names that cargo keeps for its own folders, and the name of this tool.
const RESERVED: &[&str] = &["book", "build", "deps", "examples", "incremental"];

/// Writes the skeletons and the lines that other files need for them, and says what to do next. Nothing is
/// written if anything is wrong with the names.
pub fn new(project: &Project, new: &New) -> Result<()> {
    let mut edits = Edits::new(project);
    let mut pattern = Vec::new();
    let mut mistake = Vec::new();
    check_names(project, new.wrong.iter().chain(&new.listing))?;
    if let Some(wrong) = &new.wrong {
        add_program(&mut edits, wrong, WRONG)?;
        mistake.push(directives(wrong, WRONG, true));
        let entry = format!(
            "\n[[fix]]\nprogram = \"{wrong}\"\nreplace = \"{MISTAKE}\"\nwith = '''{FIX}'''\n"
        );
        edits.edit(FIXES, |text| Ok(text.to_owned() + &entry))?;
    }
    if let Some(listing) = &new.listing {
        let text = match new.wrong {
            None => LISTING.to_owned(),
            Some(_) => DIFFERENCES
                .iter()
                .fold(WRONG.replace(MISTAKE, FIX), |text, (mistake, fix)| {
                    text.replace(mistake, fix)
                }),
        };
        add_program(&mut edits, listing, &text)?;
        pattern.push(directives(listing, &text, true));
    }
    for name in &new.show {
        let text = project.read(&name.source())?;
        pattern.push(directives(name, &text, project.has(&name.timeline())));
    }
    if let Some(page) = &new.page {
        let page_text = PAGE
            .replace("{title}", &new.title.clone().unwrap_or_else(|| title(page)))
            .replace("{pattern}", &pattern.join("\n\n"))
            .replace("{mistake}", &mistake.join("\n\n"));
        add_page(&mut edits, page, page_text)?;
    }
    edits.write()?;
    print_next_steps(new, &[pattern, mistake].concat().join("\n\n"));
    Ok(())
}

/// Demands that each part exists and that each name is free.
fn check_names<'a>(project: &Project, names: impl Iterator<Item = &'a ProgramId>) -> Result<()> {
    let parts = project.parts()?;
    let mut taken = project.listings()?;
    taken.extend(project.compile_fail_programs()?);
    taken.extend(project.unstable_programs()?);
    for name in names {
        ensure!(
            parts.contains(&name.part),
            "there is no part `{}`; the parts are: {}. A new part is a crate of its own: see CONTRIBUTING.md",
            name.part,
            parts.join(", ")
        );
        if let Some(other) = taken.iter().find(|known| known.name == name.name) {
            bail!(
                "the name `{}` is taken by `{other}`; names are unique in the whole book",
                name.name
            );
        }
        ensure!(
            !RESERVED.contains(&name.name.as_str()),
            "`{}` is reserved by cargo or the book's tools; choose another name",
            name.name
        );
        taken.push(name.clone());
    }
    Ok(())
}

/// The lines that show a listing on a page.
fn directives(name: &ProgramId, text: &str, has_timeline: bool) -> String {
    let source = Source::parse(text).ok();
    let anchor = source.and_then(|source| source.anchor_lines().next().map(|(name, _)| name));
    let anchor = anchor.map_or(String::new(), |anchor| format!(":{anchor}"));
    let mut lines = format!("{{{{#listing {name}{anchor}}}}}\n\n{{{{#output {name}}}}}");
    if has_timeline {
        lines.push_str(&format!("\n\n{{{{#timeline {name}}}}}"));
    }
    lines
}

/// Adds a program and its entry in its part's manifest.
fn add_program(edits: &mut Edits<'_>, name: &ProgramId, text: &str) -> Result<()> {
    edits.create(&name.source(), text.to_owned())?;
    let manifest = format!("listings/{}/Cargo.toml", name.part);
    edits.edit(&manifest, |text| Ok(with_bin(text, &name.name)))?;
    edits.edit(&Declarations::file(&name.part), |text| {
        with_open(text, &name.name)
    })
}

/// Declarations in which this listing's hazards are open: nobody has said yet which ones apply.
fn with_open(declarations: &str, name: &str) -> Result<String> {
    let mut document: DocumentMut = declarations.parse()?;
    let open = document
        .entry("open")
        .or_insert_with(|| toml_edit::value(Array::new()));
    let open = open.as_array_mut().context("`open` is no list")?;
    if !open.iter().any(|it| it.as_str() == Some(name)) {
        open.push(name);
    }
    Ok(document.to_string())
}

/// A manifest with one more line in its array `bin`, whose lines are sorted.
fn with_bin(manifest: &str, name: &str) -> String {
    const START: &str = "bin = [\n";
    let line = format!("    {{ name = \"{name}\", test = false }},\n");
    let found = manifest.split_once(START).and_then(|(before, rest)| {
        let (lines, after) = rest.split_once("]\n")?;
        Some((before, sorted_with(lines, &line), after))
    });
    match found {
        Some((before, lines, after)) => format!("{before}{START}{lines}]\n{after}"),
        None => manifest.replacen("[package]", &format!("{START}{line}]\n\n[package]"), 1),
    }
}

/// Sorted lines with one more, unless it is there.
fn sorted_with(lines: &str, new: &str) -> String {
    let mut lines: Vec<_> = lines.split_inclusive('\n').collect();
    if let Err(at) = lines.binary_search(&new) {
        lines.insert(at, new);
    }
    lines.concat()
}

/// Adds a page, its line in the table of contents, and its published address.
fn add_page(edits: &mut Edits<'_>, page: &ProgramId, text: String) -> Result<()> {
    let heading = text.lines().next().unwrap_or_default();
    let line = format!("- [{}]({page}.md)", heading.trim_start_matches("# "));
    edits.edit(SUMMARY, |summary| {
        let of_part = format!("]({}/", page.part);
        let index = format!("]({}/index.md)", page.part);
        let last = summary.lines().rfind(|line| line.contains(&of_part));
        let last = last.with_context(|| {
            format!(
                "{SUMMARY} has no page of the part `{}` after which to add this one; add the line yourself: {line}",
                page.part
            )
        })?;
        let indent = last.len() - last.trim_start().len() + 2 * usize::from(last.contains(&index));
        let added = format!("{last}\n{}{line}", " ".repeat(indent));
        Ok(summary.replacen(last, &added, 1))
    })?;
    edits.create(&format!("src/{page}.md"), text.replace("\n\n\n", "\n\n"))?;
    if edits.project.has(PUBLISHED) {
        edits.edit(PUBLISHED, |list| {
            Ok(sorted_with(list, &format!("{page}.html\n")))
        })?;
    }
    Ok(())
}

/// The title of a page that has none yet: its name as words.
fn title(page: &ProgramId) -> String {
    let words = page.name.replace('_', " ");
    words[..1].to_uppercase() + &words[1..]
}

fn print_next_steps(new: &New, directives: &str) {
    let names: Vec<_> = new.wrong.iter().chain(&new.listing).collect();
    let spaced: String = names.iter().map(|name| format!(" {name}")).collect();
    println!("\nNext:");
    for name in &names {
        println!("  cargo run --bin {}", name.name);
    }
    if !names.is_empty() {
        println!("  cargo book bless{spaced}");
    }
    if let Some(name) = &new.listing {
        println!(
            "  Meet the hazards (CONTRIBUTING.md says how), and remove the listing from `open` in {}",
            Declarations::file(&name.part)
        );
    }
    match &new.page {
        Some(page) => println!("  cargo book check {page}"),
        None => println!("  cargo book check{spaced}\n\nPaste into a page:\n\n{directives}"),
    }
}

/// Files to be written together, once it is known that all of them can be.
struct Edits<'p> {
    project: &'p Project,
    files: BTreeMap<String, (&'static str, String)>,
}

impl<'p> Edits<'p> {
    fn new(project: &'p Project) -> Self {
        Self {
            project,
            files: BTreeMap::new(),
        }
    }

    /// A new file.
    fn create(&mut self, file: &str, text: String) -> Result<()> {
        let path = writable(self.project, file)?;
        ensure!(!path.exists(), "{file} exists already");
        self.files.insert(file.to_owned(), ("Wrote", text));
        Ok(())
    }

    /// A change of a file, after the changes made so far. A file that is missing counts as empty.
    fn edit(&mut self, file: &str, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let before = match self.files.remove(file) {
            Some((_, text)) => text,
            None if self.project.has(file) => self.project.read(file)?,
            None => String::new(),
        };
        let text = change(&before)?;
        self.files.insert(file.to_owned(), ("Edited", text));
        Ok(())
    }

    fn write(self) -> Result<()> {
        for (file, (done, text)) in self.files {
            let path = writable(self.project, &file)?;
            let folder = path.parent().context("a file is in a folder")?;
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("cannot write {file}"))?;
            println!("{done} {file}");
        }
        Ok(())
    }
}

/// The path of a file, which is written only if that changes nothing outside of the book.
fn writable(project: &Project, file: &str) -> Result<PathBuf> {
    if file.starts_with("listings/") {
        return project.to_write(file);
    }
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let folder = folder.to_str().context("a path is text")?;
    project.inside(folder)?;
    if project.has(file) {
        project.inside(file)?;
    }
    Ok(project.root().join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hazards_of_a_new_listing_are_open() {
        let with = |text: &str| with_open(text, "m").expect("it's TOML");
        assert_eq!(with(""), "open = [\"m\"]\n");
        let one = "# Why.\ndemonstrations = []\nopen = [\"a\"]\n\n[wrong]\n";
        let both = "# Why.\ndemonstrations = []\nopen = [\"a\", \"m\"]\n\n[wrong]\n";
        assert_eq!(with(one), both);
        assert_eq!(with(both), both);
        assert!(with_open("open = 1", "m").is_err());
    }

    #[test]
    fn a_manifest_gets_the_line_of_a_program_at_its_sorted_place() {
        let none = "# Why.\n\n[package]\nname = \"tasks\"\n";
        let one = "# Why.\n\nbin = [\n    { name = \"m\", test = false },\n]\n\n[package]\nname = \"tasks\"\n";
        assert_eq!(with_bin(none, "m"), one);
        assert_eq!(with_bin(one, "m"), one);
        let before = with_bin(one, "a");
        assert!(
            before.contains("bin = [\n    { name = \"a\", test = false },\n    { name = \"m\"")
        );
        assert!(with_bin(one, "z").contains("\"m\", test = false },\n    { name = \"z\""));
    }
}
