//! Sees that the book is whole in each of its forms: that all of it can be read, that its links lead
//! somewhere, and that each page shows what its directives name, in that order and no more.
//!
//! Each check returns what it found wrong.

use crate::book::{Book, Page};
use crate::links::{Target, target};
use crate::llms;
use crate::tree::allowed;
use anyhow::{Context, Result};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use pages::listing::{ListingName, Source};
use pages::{Problem, Project, manifest, uses};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// What a page shows besides its prose.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Shown {
    /// The blocks of programs, outputs, messages and manifests, without the commands that an author wrote.
    blocks: Vec<String>,
    /// What each caption tells.
    captions: Vec<String>,
    /// The timelines, each with the number of its steps in words.
    timelines: Vec<(String, usize)>,
}

/// What a page must show, by its directives, and the words that belong together in a caption.
fn expected(project: &Project, source: &str) -> Result<(Shown, Vec<Vec<String>>)> {
    let mut shown = Shown::default();
    let mut captions = Vec::new();
    for used in uses::all(project)
        .into_iter()
        .filter(|it| it.page == source)
    {
        let (name, anchor) = match used.argument.split_once(':') {
            Some((name, anchor)) => (name, Some(anchor)),
            None => (used.argument.as_str(), None),
        };
        if used.directive == "manifest" {
            shown.blocks.push(manifest::shown(project, name)?);
            captions.push(vec![manifest::file(name)]);
            continue;
        }
        if used.directive == "timeline" {
            shown.timelines.push((used.argument.clone(), 1));
            continue;
        }
        let Ok(name) = ListingName::parse(name) else {
            continue;
        };
        match used.directive.as_str() {
            "listing" => {
                shown.blocks.push(cut(project, &name.source(), anchor)?);
                captions.push(vec![
                    name.source(),
                    format!("cargo run --bin {}", name.name),
                ]);
            }
            "compile_fail" => {
                shown
                    .blocks
                    .push(cut(project, &name.compile_fail(), anchor)?);
                shown.blocks.push(project.read(&name.stderr())?);
                captions.push(vec![name.compile_fail()]);
            }
            "unstable" => {
                shown.blocks.push(cut(project, &name.unstable(), anchor)?);
                captions.push(vec![
                    name.unstable(),
                    format!("cargo unstable {}", name.name),
                ]);
            }
            "output" if project.has(&name.unstable()) => {
                shown.blocks.push(project.read(&name.unstable_output())?);
            }
            "output" => shown.blocks.push(project.read(&name.output())?),
            _ => {}
        }
    }
    Ok((shown, captions))
}

/// The part of a program that a page shows.
fn cut(project: &Project, file: &str, anchor: Option<&str>) -> Result<String> {
    let text = project.read(file)?;
    let told = |error: pages::listing::AnchorError| anyhow::anyhow!("{file}: {}", error.message);
    let source = Source::parse(&text).map_err(told)?;
    let lines = source.cut(anchor).map_err(told)?;
    let shown = lines.iter().filter(|line| line.shown);
    Ok(shown.map(|line| format!("{}\n", line.text)).collect())
}

/// What a page shows in a form, against what it must show.
fn compare(project: &Project, page: &Page, form: &str, shown: &Shown) -> Result<Vec<Problem>> {
    let source = format!("src/{}", page.file("md"));
    let (expected, captions) = expected(project, &source)?;
    let problem = |message: String| Problem::of(&source, format!("in the {form}, {message}"));
    let mut problems = Vec::new();
    if shown.blocks.len() != expected.blocks.len() {
        problems.push(problem(format!(
            "this page shows {} programs, outputs, messages and manifests, and must show {}",
            shown.blocks.len(),
            expected.blocks.len()
        )));
    }
    for (shown, expected) in shown.blocks.iter().zip(&expected.blocks) {
        let readable = |text: &str| text.trim_end().chars().map(allowed).collect::<String>();
        if readable(shown) != readable(expected) {
            let first = expected.lines().find(|line| !line.trim().is_empty());
            problems.push(problem(format!(
                "the block that begins with `{}` is not what its file holds; it is:\n{shown}",
                first.unwrap_or_default()
            )));
            break;
        }
    }
    for words in captions {
        let tells = |caption: &String| words.iter().all(|word| caption.contains(word));
        if !shown.captions.iter().any(tells) {
            problems.push(problem(format!(
                "no caption tells `{}`",
                words.join("` and `")
            )));
        }
    }
    let names = |all: &[(String, usize)]| -> Vec<String> {
        all.iter().map(|(name, _)| name.clone()).collect()
    };
    if names(&shown.timelines) != names(&expected.timelines) {
        problems.push(problem(format!(
            "this page shows the timelines {:?}, and must show {:?}",
            names(&shown.timelines),
            names(&expected.timelines)
        )));
    }
    for (name, steps) in &shown.timelines {
        if *steps == 0 {
            problems.push(problem(format!("the timeline {name} is not told in words")));
        }
    }
    Ok(problems)
}

/// Everything that is wrong with an EPUB of the book.
///
/// # Errors
///
/// It is no ZIP, or a file of the book cannot be read.
pub fn epub(project: &Project, book: &Book, bytes: &[u8]) -> Result<Vec<Problem>> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).context("the EPUB is no ZIP")?;
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).context("the EPUB is no sound ZIP")?;
        let name = file
            .name()
            .context("the EPUB is no sound ZIP")?
            .into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .with_context(|| format!("{name} cannot be unpacked"))?;
        files.insert(name, String::from_utf8_lossy(&content).into_owned());
    }
    let mut problems = Vec::new();
    let mut documents = BTreeMap::new();
    for (name, text) in &files {
        if [".xhtml", ".opf", ".xml"]
            .iter()
            .any(|it| name.ends_with(it))
        {
            match parse(text) {
                Ok(document) => {
                    let name = name.strip_prefix("OEBPS/").unwrap_or(name);
                    documents.insert(name.to_owned(), document);
                }
                Err(error) => problems.push(Problem::of(name, format!("is no XML: {error}"))),
            }
        }
    }
    problems.extend(dead_links(&documents, &|file| {
        files.contains_key(&format!("OEBPS/{file}"))
    }));
    problems.extend(unlisted(&files, &documents));
    for page in &book.pages {
        let name = page.file("xhtml");
        match documents.get(&name) {
            Some(document) => {
                let shown = shown(document.root());
                problems.extend(compare(project, page, "EPUB", &shown)?);
            }
            None => problems.push(Problem::of(&name, "is not in the EPUB, or no XML")),
        }
    }
    Ok(problems)
}

/// Files of an EPUB that its package does not list, and pages that its table of contents does not name.
fn unlisted(
    files: &BTreeMap<String, String>,
    documents: &BTreeMap<String, Document<'_>>,
) -> Vec<Problem> {
    let named = |document: &str| -> BTreeSet<String> {
        let document = documents.get(document);
        let nodes = document.into_iter().flat_map(|it| it.root().descendants());
        nodes
            .filter_map(|node| node.attribute("href"))
            .map(|to| to.split('#').next().unwrap_or_default().to_owned())
            .collect()
    };
    let (package, contents) = (named("content.opf"), named("nav.xhtml"));
    let mut problems = Vec::new();
    for file in files.keys().filter_map(|name| name.strip_prefix("OEBPS/")) {
        if file != "content.opf" && !package.contains(file) {
            problems.push(Problem::of(file, "is in the EPUB, and not in its package"));
        }
        if file.ends_with(".xhtml") && !contents.contains(file) {
            let message = "is in the EPUB, and not in its table of contents";
            problems.push(Problem::of(file, message));
        }
    }
    problems
}

/// Everything that is wrong with the page that is printed.
///
/// # Errors
///
/// A file of the book cannot be read.
pub fn print(project: &Project, book: &Book, html: &str) -> Result<Vec<Problem>> {
    let document = match parse(html) {
        Ok(document) => document,
        Err(error) => {
            let message = format!("does not end what it begins: {error}");
            return Ok(vec![Problem::of("print.html", message)]);
        }
    };
    let is_chapter = |node: &Node<'_, '_>| node.attribute("class") == Some("chapter");
    let chapters: Vec<_> = document.descendants().filter(is_chapter).collect();
    let mut problems = Vec::new();
    if chapters.len() != book.pages.len() {
        problems.push(Problem::of(
            "print.html",
            format!("has {} chapters of {}", chapters.len(), book.pages.len()),
        ));
    }
    for (chapter, page) in chapters.iter().zip(&book.pages) {
        problems.extend(compare(project, page, "page for print", &shown(*chapter))?);
    }
    let documents = BTreeMap::from([("print.html".to_owned(), document)]);
    problems.extend(dead_links(&documents, &|_| false));
    Ok(problems)
}

fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options)
}

/// Links inside the book that lead nowhere, ids that are there twice, and references to ids that are not.
fn dead_links(
    documents: &BTreeMap<String, Document<'_>>,
    is_file: &dyn Fn(&str) -> bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, document) in documents {
        let known = ids.entry(name).or_default();
        for id in document.descendants().filter_map(|it| it.attribute("id")) {
            if !known.insert(id) {
                problems.push(Problem::of(name, format!("has the id `{id}` twice")));
            }
        }
    }
    for (name, document) in documents {
        for node in document.descendants() {
            for attribute in ["href", "src"] {
                let Some(to) = node.attribute(attribute) else {
                    continue;
                };
                let Target::Inside { file, fragment } = target(name, to) else {
                    continue;
                };
                let leads = match ids.get(file.as_str()) {
                    Some(ids) => fragment.is_empty() || ids.contains(fragment.as_str()),
                    None => is_file(&file),
                };
                if !leads {
                    problems.push(Problem::of(name, format!("the link `{to}` leads nowhere")));
                }
            }
            let own = &ids[name.as_str()];
            let labels = ["aria-labelledby", "aria-describedby"].into_iter();
            let labels = labels.filter_map(|it| node.attribute(it));
            for id in labels.flat_map(str::split_whitespace) {
                if !own.contains(id) {
                    problems.push(Problem::of(name, format!("nothing has the id `{id}`")));
                }
            }
        }
    }
    problems
}

fn text_of(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    texts.filter_map(|node| node.text()).collect()
}

/// What a page shows, as it was read back.
fn shown(page: Node<'_, '_>) -> Shown {
    let mut shown = Shown::default();
    for node in page.descendants() {
        match node.tag_name().name() {
            "pre" => {
                let commands =
                    |it: &Node<'_, '_>| it.attribute("class") == Some("language-console");
                if !node.children().any(|child| commands(&child)) {
                    shown.blocks.push(text_of(node));
                }
            }
            "figcaption" => {
                shown.captions.push(text_of(node));
            }
            "figure" => {
                if let Some(name) = node.attribute("data-timeline") {
                    let pictures = count(node, "svg");
                    let runs = name.split_whitespace().count();
                    // Each run has its picture, and its words below.
                    let steps = if pictures == runs {
                        count(node, "li")
                    } else {
                        0
                    };
                    shown.timelines.push((name.to_owned(), steps));
                }
            }
            _ => {}
        }
    }
    shown
}

fn count(node: Node<'_, '_>, name: &str) -> usize {
    let all = node.descendants();
    all.filter(|node| node.tag_name().name() == name).count()
}

/// Everything that is wrong with the Markdown of a site.
///
/// # Errors
///
/// A file of the book or of its site cannot be read.
pub fn machines(project: &Project, book: &Book) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let read = |name: &str| {
        let path = book.site.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let all = read(llms::ALL)?;
    let list = read(llms::LIST)?;
    for page in &book.pages {
        let name = page.file("md");
        let text = read(&name)?;
        problems.extend(compare(
            project,
            page,
            "Markdown",
            &in_markdown(project, page, &text),
        )?);
        problems.extend(dead_markdown_links(book, &name, &text));
        problems.extend(html_in(&name, &text));
        if !list.contains(&format!("]({name})")) {
            problems.push(Problem::of(llms::LIST, format!("does not list {name}")));
        }
        let whole = text.lines().filter(|line| !line.contains("]("));
        let lost = whole.filter(|line| !line.is_empty() && !all.contains(*line));
        problems.extend(lost.take(1).map(|line| {
            Problem::of(
                llms::ALL,
                format!("has not all of {name}: `{line}` is missing"),
            )
        }));
    }
    problems.extend(dead_markdown_links(book, llms::LIST, &list));
    problems.extend(dead_markdown_links(book, llms::ALL, &all));
    Ok(problems)
}

/// What a page shows in Markdown. A timeline is told by its listings, whose names its steps do not tell: they
/// are taken for the expected ones where there are as many lists of steps.
fn in_markdown(project: &Project, page: &Page, text: &str) -> Shown {
    let mut shown = Shown::default();
    let mut open: Option<String> = None;
    for (event, _) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        match (event, &mut open) {
            (Event::Start(Tag::CodeBlock(kind)), _) => {
                let by_hand =
                    matches!(&kind, CodeBlockKind::Fenced(language) if &**language == "console");
                open = (!by_hand).then(String::new);
            }
            (Event::End(TagEnd::CodeBlock), _) => shown.blocks.extend(open.take()),
            (Event::Text(text), Some(open)) => open.push_str(&text),
            _ => {}
        }
    }
    let is_caption = |line: &&str| line.starts_with("**");
    shown.captions = text.lines().filter(is_caption).map(str::to_owned).collect();
    let source = format!("src/{}", page.file("md"));
    let mut steps = text.split("\nStep by step, in words\n").skip(1);
    for used in uses::all(project)
        .into_iter()
        .filter(|it| it.page == source)
    {
        if used.directive == "timeline" {
            let runs = used.argument.split_whitespace().count();
            let told = steps.by_ref().take(runs);
            let told = told
                .filter(|words| words.trim_start().starts_with("1. "))
                .count();
            shown
                .timelines
                .push((used.argument, if told == runs { told } else { 0 }));
        }
    }
    shown
}

fn dead_markdown_links(book: &Book, name: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (event, _) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) =
            event
        else {
            continue;
        };
        let Target::Inside { file, fragment } = target(name, &dest_url) else {
            continue;
        };
        let page = book.pages.iter().find(|page| page.file("md") == file);
        let leads = match page {
            Some(page) => fragment.is_empty() || crate::links::ids(&page.text).contains(&fragment),
            None => fragment.is_empty() && book.site.join(&file).is_file(),
        };
        if !leads {
            problems.push(Problem::of(
                name,
                format!("the link `{dest_url}` leads nowhere"),
            ));
        }
    }
    problems
}

/// HTML that a machine would have to read around.
fn html_in(name: &str, text: &str) -> Option<Problem> {
    let events = new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter();
    let html = events.filter_map(|(event, range)| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some((html, range)),
        _ => None,
    });
    let (html, range) = html.into_iter().next()?;
    let line = 1 + text[..range.start].matches('\n').count();
    Some(Problem::at(
        name,
        line,
        format!("has HTML in it: {}", html.trim()),
    ))
}

/// The classes in the book's pictures that a style has no rule for: such parts would be black boxes, or
/// not be seen at all.
pub fn unstyled(book: &Book, style: &str) -> BTreeSet<String> {
    let mut classes = BTreeSet::new();
    for page in &book.pages {
        crate::tree::each(&page.text, &mut |element| {
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
