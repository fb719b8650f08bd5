//! Checks that the book is complete in every format: that each page shows exactly what its directives name, in their
//! order, that each file is well-formed, and that its links work.
//!
//! EPUB and print page are written from the same tree of a page, so the tree is compared with the directives, and the
//! files only with the tree. The Markdown is made in its own way, and compared with the directives as well.
//!
//! Each check returns the problems that it found.

use crate::book::{Book, Page};
use crate::links::{self, Target, target};
use crate::llms;
use crate::tree::{self, Element, allowed};
use anyhow::{Context, Result};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::directive::Directive;
use model::program::{ProgramKind, ProgramRef};
use model::source::{AnchorError, Source};
use model::{Problem, Project, manifest, output, uses};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// What a page shows besides its prose.
#[derive(Debug, Default)]
struct Content {
    /// Programs, outputs, compiler messages, and manifests, but not the commands that an author wrote.
    blocks: Vec<String>,
    /// The captions of its figures. Of an expected one, the words that it must contain.
    captions: Vec<Vec<String>>,
    /// The timelines, and whether each run of them is summed up.
    timelines: Vec<(String, bool)>,
}

/// What the directives of each page name, by the page's source.
fn expected(project: &Project) -> Result<BTreeMap<String, Content>> {
    let mut pages = BTreeMap::new();
    for page in uses::pages(project).iter() {
        let mut content = Content::default();
        for placed in &page.directives {
            match &placed.directive {
                Ok(Directive::Program(kind, program)) => {
                    content.add_program(project, *kind, program)?
                }
                Ok(Directive::Source(shown)) => {
                    let text = shown.shown(project).map_err(anyhow::Error::msg)?.text;
                    content.blocks.push(text);
                    content.captions.push(vec![shown.file()]);
                }
                Ok(Directive::Output(id)) => {
                    for output in output::shown(project, id)? {
                        content.blocks.push(project.read(&output.file)?);
                    }
                }
                Ok(Directive::Timeline(_)) => {
                    content.timelines.push((placed.argument.clone(), true));
                }
                Ok(Directive::Manifest(part)) => {
                    content.blocks.push(manifest::shown(project, part)?);
                    content.captions.push(vec![manifest::file(part)]);
                }
                _ => {}
            }
        }
        pages.insert(page.file.clone(), content);
    }
    Ok(pages)
}

/// The visible lines of a program, or of an anchor in it.
fn anchored(project: &Project, file: &str, anchor: Option<&str>) -> Result<String> {
    let text = project.read(file)?;
    let error = |error: AnchorError| anyhow::anyhow!("{file}: {}", error.message);
    let lines = Source::parse(&text).map_err(error)?;
    let lines = lines.cut(anchor).map_err(error)?;
    let visible = lines.iter().filter(|line| line.shown);
    Ok(visible.map(|line| format!("{}\n", line.text)).collect())
}

fn source(page: &Page) -> String {
    format!("src/{}", page.file("md"))
}

impl Content {
    fn add_program(
        &mut self,
        project: &Project,
        kind: ProgramKind,
        program: &ProgramRef,
    ) -> Result<()> {
        let (id, file) = (&program.id, program.id.file(kind));
        self.blocks
            .push(anchored(project, &file, program.anchor.as_deref())?);
        let mut caption = vec![file];
        match kind {
            ProgramKind::Listing => caption.push(format!("cargo run --bin {}", id.name)),
            ProgramKind::Unstable => caption.push(format!("cargo unstable {}", id.name)),
            ProgramKind::CompileFail => self.blocks.push(project.read(&id.stderr())?),
        }
        self.captions.push(caption);
        Ok(())
    }

    fn of_tree(page: &Page) -> Self {
        let mut content = Self::default();
        tree::each(page.text(), &mut |element| match element.name.as_str() {
            "pre" if count(element, |it| it.has_class("language-console")) == 0 => {
                content.blocks.push(element.text());
            }
            "figcaption" => content.captions.push(vec![element.text()]),
            "figure" => {
                if let Some(name) = element.attribute("data-timeline") {
                    // Each run has its picture, and its summary below.
                    let runs = name.split_whitespace().count();
                    let pictures = count(element, |it| it.name == "svg");
                    let summaries = count(element, |it| it.has_class("summary"));
                    let is_described = pictures == runs && summaries == runs;
                    content.timelines.push((name.to_owned(), is_described));
                }
            }
            _ => {}
        });
        content
    }

    /// The names of timelines aren't in the Markdown: they are taken to be the expected ones if there are as many
    /// descriptions as runs.
    fn of_markdown(markdown: &str, expected: &Self) -> Self {
        let mut content = Self::default();
        let mut block: Option<String> = None;
        for event in new_cmark_parser(markdown, &MarkdownOptions::default()) {
            match (event, &mut block) {
                (Event::Start(Tag::CodeBlock(kind)), _) => {
                    let is_console =
                        matches!(&kind, CodeBlockKind::Fenced(info) if &**info == "console");
                    block = (!is_console).then(String::new);
                }
                (Event::End(TagEnd::CodeBlock), _) => content.blocks.extend(block.take()),
                (Event::Text(text), Some(block)) => block.push_str(&text),
                _ => {}
            }
        }
        let captions = markdown.lines().filter(|line| line.starts_with("**"));
        content.captions = captions.map(|line| vec![line.to_owned()]).collect();
        let is_summary = |line: &&str| {
            line.starts_with("One task runs")
                || line
                    .trim_start_matches(|c: char| c.is_ascii_digit())
                    .starts_with(" tasks run")
        };
        let mut summaries = markdown.lines().filter(is_summary);
        for (name, _) in &expected.timelines {
            let runs = name.split_whitespace().count();
            let described = summaries.by_ref().take(runs).count();
            content.timelines.push((name.clone(), described == runs));
        }
        content
    }

    /// How it differs from what the directives of its page name.
    fn compare(&self, expected: &Self, source: &str, format: &str) -> Vec<Problem> {
        let problem = |message: String| Problem::of(source, format!("in the {format}, {message}"));
        let mut problems = Vec::new();
        let (blocks, expected_blocks) = (self.blocks.len(), expected.blocks.len());
        if blocks != expected_blocks {
            problems.push(problem(format!(
                "there are {blocks} programs, outputs, messages, and manifests; expected {expected_blocks}"
            )));
        }
        for (block, expected) in self.blocks.iter().zip(&expected.blocks) {
            if printable(block) != printable(expected) {
                let first = expected.lines().find(|line| !line.trim().is_empty());
                problems.push(problem(format!(
                    "the block that starts with `{}` differs from its file; it is:\n{block}",
                    first.unwrap_or_default()
                )));
                break;
            }
        }
        for words in &expected.captions {
            let contains =
                |caption: &Vec<String>| words.iter().all(|word| caption[0].contains(word));
            if !self.captions.iter().any(contains) {
                let words = words.join("` and `");
                problems.push(problem(format!("no caption contains `{words}`")));
            }
        }
        let names = |content: &Self| -> Vec<String> {
            content
                .timelines
                .iter()
                .map(|(name, _)| name.clone())
                .collect()
        };
        let (found, expected) = (names(self), names(expected));
        if found != expected {
            let message = format!("the timelines are {found:?}; expected {expected:?}");
            problems.push(problem(message));
        }
        for (name, is_described) in &self.timelines {
            if !is_described {
                problems.push(problem(format!("the timeline {name} has no summary")));
            }
        }
        problems
    }
}

fn count(element: &Element, is_counted: impl Fn(&Element) -> bool) -> usize {
    let mut count = 0;
    tree::each(&element.children, &mut |it| {
        count += usize::from(is_counted(it))
    });
    count
}

/// The text as XML can contain it, for comparisons.
fn printable(text: &str) -> String {
    text.trim().chars().map(allowed).collect()
}

/// Compares the rendered pages with their directives.
///
/// Fails if a file of the book cannot be read.
pub fn pages(project: &Project, book: &Book) -> Result<Vec<Problem>> {
    let expected = expected(project)?;
    let none = Content::default();
    let problems = book.pages.iter().flat_map(|page| {
        let source = source(page);
        let expected = expected.get(&source).unwrap_or(&none);
        Content::of_tree(page).compare(expected, &source, "rendered page")
    });
    Ok(problems.collect())
}

/// Compares a page with what another file contains of it: all its text, and all its elements.
fn same_as_tree(page: &Page, written: Node<'_, '_>, format: &str) -> Option<Problem> {
    let texts = written.descendants().filter(Node::is_text);
    let written_text: String = texts.filter_map(|node| node.text()).collect();
    let (text, written_text) = (
        printable(&tree::text(page.text())),
        printable(&written_text),
    );
    let mut elements = 0;
    tree::each(page.text(), &mut |_| elements += 1);
    // Without the element around the page.
    let written_elements = written.descendants().filter(Node::is_element).count() - 1;
    let difference = if text != written_text {
        let mut lines = text.lines().zip(written_text.lines());
        let (line, written) = lines.find(|(a, b)| a != b).unwrap_or_default();
        format!("it has `{written}` instead of `{line}`")
    } else if elements != written_elements {
        format!("it has {written_elements} elements instead of {elements}")
    } else {
        return None;
    };
    let message = format!("the {format} differs from the rendered page: {difference}");
    Some(Problem::of(source(page), message))
}

/// Checks an EPUB: well-formed files, working links, and the whole text of every page.
///
/// Fails if it is not a ZIP.
pub fn epub(book: &Book, bytes: &[u8]) -> Result<Vec<Problem>> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).context("the EPUB is not a ZIP")?;
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).context("the EPUB is a broken ZIP")?;
        let name = file.name().context("the EPUB is a broken ZIP")?;
        let name = name.strip_prefix("OEBPS/").unwrap_or(&name).to_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .with_context(|| format!("cannot unpack {name}"))?;
        files.insert(name, String::from_utf8_lossy(&content).into_owned());
    }
    let mut problems = Vec::new();
    let mut documents = BTreeMap::new();
    let is_xml = |name: &str| {
        [".xhtml", ".opf", ".xml"]
            .iter()
            .any(|it| name.ends_with(it))
    };
    for (name, text) in files.iter().filter(|(name, _)| is_xml(name)) {
        match parse(text) {
            Ok(document) => drop(documents.insert(name.to_owned(), document)),
            Err(error) => {
                let message = format!("is not well-formed XML: {error}");
                problems.push(Problem::of(name, message));
            }
        }
    }
    problems.extend(links_and_ids(&documents, &|file| files.contains_key(file)));
    problems.extend(unlisted(&files, &documents));
    for page in &book.pages {
        let name = page.file("xhtml");
        let main = documents.get(&name).and_then(|document| {
            let mut nodes = document.descendants();
            nodes.find(|node| node.has_tag_name(("http://www.w3.org/1999/xhtml", "main")))
        });
        match main {
            Some(main) => problems.extend(same_as_tree(page, main, "EPUB")),
            None => problems.push(Problem::of(name, "is missing in the EPUB, or has no text")),
        }
    }
    Ok(problems)
}

/// Files of an EPUB that its package does not list, and pages that its table of contents does not.
fn unlisted(
    files: &BTreeMap<String, String>,
    documents: &BTreeMap<String, Document<'_>>,
) -> Vec<Problem> {
    let listed = |document: &str| -> BTreeSet<String> {
        let nodes = documents.get(document).into_iter();
        let nodes = nodes.flat_map(|document| document.descendants());
        let links = nodes.filter_map(|node| node.attribute("href"));
        links
            .filter_map(|link| Some(link.split('#').next()?.to_owned()))
            .collect()
    };
    let (package, contents) = (listed("content.opf"), listed("nav.xhtml"));
    let mut problems = Vec::new();
    let is_meta =
        |name: &str| name == "mimetype" || name == "content.opf" || name.starts_with("META-INF/");
    for file in files.keys().filter(|name| !is_meta(name)) {
        if !package.contains(file) {
            problems.push(Problem::of(
                file,
                "is in the EPUB, but not in its package document",
            ));
        }
        if file.ends_with(".xhtml") && !contents.contains(file) {
            problems.push(Problem::of(
                file,
                "is in the EPUB, but not in its table of contents",
            ));
        }
    }
    problems
}

/// Checks the page that is printed as the PDF: well-formed, with working links, and the whole text of every page.
pub fn print(book: &Book, html: &str) -> Vec<Problem> {
    let document = match parse(html) {
        Ok(document) => document,
        Err(error) => {
            let message = format!("is not well-formed XML: {error}");
            return vec![Problem::of("print.html", message)];
        }
    };
    let is_chapter = |node: &Node<'_, '_>| node.attribute("class") == Some("chapter");
    let chapters: Vec<_> = document.descendants().filter(is_chapter).collect();
    let mut problems = Vec::new();
    if chapters.len() != book.pages.len() {
        let (chapters, pages) = (chapters.len(), book.pages.len());
        let message = format!("has {chapters} chapters, but the book has {pages} pages");
        problems.push(Problem::of("print.html", message));
    }
    for (chapter, page) in chapters.iter().zip(&book.pages) {
        problems.extend(same_as_tree(page, *chapter, "print page"));
    }
    let documents = BTreeMap::from([("print.html".to_owned(), document)]);
    problems.extend(links_and_ids(&documents, &|_| false));
    problems
}

fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options)
}

/// Broken links, duplicate ids, and references to missing ids.
fn links_and_ids(
    documents: &BTreeMap<String, Document<'_>>,
    is_file: &dyn Fn(&str) -> bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, document) in documents {
        let known = ids.entry(name).or_default();
        for id in document.descendants().filter_map(|it| it.attribute("id")) {
            if !known.insert(id) {
                problems.push(Problem::of(name, format!("duplicate id `{id}`")));
            }
        }
    }
    let exists = |file: &str, fragment: &str| match ids.get(file) {
        Some(ids) => fragment.is_empty() || ids.contains(fragment),
        None => is_file(file),
    };
    for (name, document) in documents {
        for node in document.descendants() {
            let links = ["href", "src"].into_iter();
            let links = links.filter_map(|attribute| node.attribute(attribute));
            problems.extend(links.filter_map(|link| broken_link(name, link, exists)));
            let labels = ["aria-labelledby", "aria-describedby"].into_iter();
            let labels = labels.filter_map(|attribute| node.attribute(attribute));
            let labels = labels.flat_map(str::split_whitespace);
            let missing = labels.filter(|id| !ids[name.as_str()].contains(id));
            problems.extend(
                missing.map(|id| Problem::of(name, format!("no element has the id `{id}`"))),
            );
        }
    }
    problems
}

/// A link in a file to another file of the book, or to an element, that doesn't exist.
fn broken_link(name: &str, link: &str, exists: impl Fn(&str, &str) -> bool) -> Option<Problem> {
    match target(name, link) {
        Target::Inside { file, fragment } if !exists(&file, &fragment) => {
            Some(Problem::of(name, format!("broken link `{link}`")))
        }
        _ => None,
    }
}

/// Checks the Markdown of a site: what each page shows, working links, no HTML, and that both lists are complete.
///
/// Fails if a file of the book or of its site cannot be read.
pub fn markdown(project: &Project, book: &Book) -> Result<Vec<Problem>> {
    let expected = expected(project)?;
    let none = Content::default();
    let read = |name: &str| {
        let path = book.site.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let ids: BTreeMap<String, BTreeSet<String>> = book
        .pages
        .iter()
        .map(|page| (page.file("md"), links::ids(page.text())))
        .collect();
    let exists = |file: &str, fragment: &str| match ids.get(file) {
        Some(ids) => fragment.is_empty() || ids.contains(fragment),
        None => fragment.is_empty() && book.site.join(file).is_file(),
    };
    let mut problems = Vec::new();
    let (all, list) = (read(llms::ALL)?, read(llms::LIST)?);
    let lines_of_all: BTreeSet<&str> = all.lines().collect();
    for page in &book.pages {
        let (name, source) = (page.file("md"), source(page));
        let text = read(&name)?;
        let expected = expected.get(&source).unwrap_or(&none);
        let content = Content::of_markdown(&text, expected);
        problems.extend(content.compare(expected, &source, "Markdown"));
        problems.extend(broken_links_or_html(&name, &text, exists));
        if !list.contains(&format!("]({name})")) {
            problems.push(Problem::of(llms::LIST, format!("{name} is missing")));
        }
        // The addresses of links differ.
        let lines = text.lines().filter(|line| !line.contains("]("));
        let missing = lines.filter(|line| !lines_of_all.contains(line)).take(1);
        problems.extend(
            missing.map(|line| {
                Problem::of(llms::ALL, format!("a line of {name} is missing: `{line}`"))
            }),
        );
    }
    problems.extend(broken_links_or_html(llms::LIST, &list, exists));
    problems.extend(broken_links_or_html(llms::ALL, &all, exists));
    Ok(problems)
}

/// Broken links, and HTML, which isn't part of plain Markdown.
fn broken_links_or_html(
    name: &str,
    text: &str,
    exists: impl Fn(&str, &str) -> bool,
) -> Vec<Problem> {
    let events = new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter();
    let problems = events.filter_map(|(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            broken_link(name, &dest_url, &exists)
        }
        Event::Html(html) | Event::InlineHtml(html) => {
            let line = 1 + text[..range.start].matches('\n').count();
            let message = format!("contains HTML: {}", html.trim());
            Some(Problem::at(name, line, message))
        }
        _ => None,
    });
    problems.collect()
}

/// The classes in the book's pictures that a style sheet has no rule for. Such elements would be black boxes, or
/// invisible.
pub fn unstyled(book: &Book, style: &str) -> BTreeSet<String> {
    let mut classes = BTreeSet::new();
    for page in &book.pages {
        tree::each(page.text(), &mut |element| {
            if element.is_svg {
                let all = element.attribute("class").unwrap_or_default();
                classes.extend(all.split_whitespace().map(str::to_owned));
            }
        });
    }
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
    let has_rule = |class: &str| {
        let rules = style.match_indices(class);
        let mut after = rules.filter(|(at, _)| style[..*at].ends_with('.'));
        after.any(|(at, _)| ends(&style[at + class.len()..]))
    };
    classes.retain(|class| !has_rule(class));
    classes
}
