//! Pages that were rendered before: mdBook takes seconds for all of them, and a save changes one or two.
//!
//! A rendered page is kept under a hash of everything that it depends on: its own expanded text; for all pages, the
//! configuration, the table of contents, the theme, and this program. mdBook gets a page that is known with an empty
//! text, and its file is replaced afterwards.

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::{Book, BookItem, Chapter};
use model::Project;
use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The pages that were rendered before, and those that are being rendered.
pub struct PageCache {
    folder: PathBuf,
    /// The files of this build, relative to the site, each with the name that it's kept under and, if it is known,
    /// its text.
    files: Vec<(PathBuf, String, Option<Vec<u8>>)>,
}

impl PageCache {
    /// Looks up the pages of an expanded book, and empties those that are known.
    ///
    /// # Errors
    ///
    /// The configuration or the theme cannot be read.
    pub fn look_up(project: &Project, book: &mut MDBook) -> Result<Self> {
        let mut cache = Self {
            folder: project.root().join("target/book/pages"),
            files: Vec::new(),
        };
        // mdBook's page for printing has the text of all pages.
        if book.config.html_config().unwrap_or_default().print.enable {
            return Ok(cache);
        }
        let common = hash_of_all_pages(project, book)?;
        let mut is_first = true;
        book.book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item {
                cache.look_up_chapter(&common, chapter, is_first);
                is_first &= chapter.path.is_none();
            }
        });
        Ok(cache)
    }

    /// The first page is written twice: as itself, and as `index.html`.
    fn look_up_chapter(&mut self, common: &DefaultHasher, chapter: &mut Chapter, is_first: bool) {
        let Some(path) = &chapter.path else { return };
        let mut hasher = common.clone();
        (path, &chapter.content).hash(&mut hasher);
        let name = format!("{:016x}", hasher.finish());
        let mut files = vec![(path.with_extension("html"), format!("{name}.html"))];
        if is_first {
            files.push((PathBuf::from("index.html"), format!("{name}.index.html")));
        }
        let known: Vec<_> = files
            .iter()
            .map(|(_, name)| fs::read(self.folder.join(name)).ok())
            .collect();
        let is_known = known.iter().all(Option::is_some);
        if is_known {
            chapter.content.clear();
        }
        for ((file, name), text) in files.into_iter().zip(known) {
            self.files.push((file, name, text.filter(|_| is_known)));
        }
    }

    /// Puts the pages that were known into the site, and keeps the others; those of earlier builds are removed.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written.
    pub fn complete(self, site: &Path) -> Result<()> {
        let Self { folder, files } = self;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut used = HashSet::new();
        for (file, name, known) in files {
            let page = site.join(file);
            let cannot = |what: &str| format!("cannot {what} {}", page.display());
            match known {
                Some(text) => fs::write(&page, text).with_context(|| cannot("write"))?,
                None => {
                    // Another build may read it: it appears whole or not at all.
                    let part = folder.join(format!("{name}.{}", std::process::id()));
                    fs::copy(&page, &part).with_context(|| cannot("keep"))?;
                    fs::rename(&part, folder.join(&name)).with_context(|| cannot("keep"))?;
                }
            }
            used.insert(name);
        }
        let kept = fs::read_dir(&folder).into_iter().flatten().flatten();
        for entry in kept {
            if !used.contains(entry.file_name().to_string_lossy().as_ref()) {
                // Another build may have removed it.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

/// What every page depends on: configuration, table of contents, theme, and the program that renders it.
fn hash_of_all_pages(project: &Project, book: &MDBook) -> Result<DefaultHasher> {
    let mut hasher = DefaultHasher::new();
    let program = std::env::current_exe().and_then(|file| fs::metadata(file)?.modified());
    program
        .context("cannot identify this program")?
        .hash(&mut hasher);
    // The folder of the site changes no page.
    let mut config = book.config.clone();
    config.build.build_dir = PathBuf::new();
    let config = toml::to_string(&config).context("the configuration cannot be written as TOML")?;
    config.hash(&mut hasher);
    contents(&book.book, &mut hasher);
    let html = book.config.html_config().unwrap_or_default();
    let theme = html.theme.unwrap_or_else(|| PathBuf::from("theme"));
    let own = html.additional_css.iter().chain(&html.additional_js);
    for path in own.chain([&theme]) {
        files(&project.root().join(path), &mut hasher)?;
    }
    Ok(hasher)
}

fn contents(book: &Book, hasher: &mut DefaultHasher) {
    for item in book.iter() {
        match item {
            BookItem::Chapter(chapter) => {
                let number = chapter.number.as_ref().map(ToString::to_string);
                (
                    &chapter.name,
                    &chapter.path,
                    number,
                    chapter.sub_items.len(),
                )
                    .hash(hasher);
            }
            BookItem::Separator => "separator".hash(hasher),
            BookItem::PartTitle(title) => ("part", title).hash(hasher),
        }
    }
}

/// The names and contents of the files at or below a path, if there are any.
fn files(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    path.hash(hasher);
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(cannot)?;
        let mut entries = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()
            .with_context(cannot)?;
        entries.sort();
        for entry in entries {
            files(&entry, hasher)?;
        }
    } else if path.is_file() {
        fs::read(path).with_context(cannot)?.hash(hasher);
    }
    Ok(())
}
