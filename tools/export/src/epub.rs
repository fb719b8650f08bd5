//! The whole book as an EPUB: a ZIP of its pages as XHTML, a table of contents, and metadata.

use crate::book::{Book, Page, RIGHTS};
use crate::links::{self, Target};
use crate::tree::{self, Node, change_each, escape};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The folder in the EPUB that contains the book.
const FOLDER: &str = "OEBPS";

/// Its style sheet.
pub const STYLE: &str = include_str!("../style/epub.css");

/// The EPUB's bytes, which are the same for the same site.
///
/// A link to anything but a page becomes plain text, and a missing picture is left out: `tests/pages.rs` reports both
/// with their lines.
///
/// Fails if a picture cannot be read, or is of a kind that e-book readers don't show.
pub fn epub(book: &Book) -> Result<Vec<u8>> {
    let mut files = BTreeMap::new();
    files.insert("book.css".to_owned(), STYLE.as_bytes().to_vec());
    files.insert("title.xhtml".to_owned(), title_page(book).into_bytes());
    files.insert("nav.xhtml".to_owned(), nav(book).into_bytes());
    let mut pictures = BTreeSet::new();
    for page in &book.pages {
        let text = chapter(book, page, &mut pictures);
        files.insert(page.file("xhtml"), text.into_bytes());
    }
    pictures.retain(|picture| book.site.join(picture).is_file());
    for picture in &pictures {
        let bytes = fs::read(book.site.join(picture))
            .with_context(|| format!("cannot read the picture {picture}"))?;
        files.insert(picture.clone(), bytes);
    }
    let package = package(book, &pictures)?;
    files.insert("content.opf".to_owned(), package.into_bytes());
    pack(book, &files).context("cannot pack the EPUB")
}

/// A page as a file of the EPUB.
fn chapter(book: &Book, page: &Page, pictures: &mut BTreeSet<String>) -> String {
    let mut text = page.text().to_vec();
    change_each(&mut text, &mut |element| {
        if let Some(to) = element.attribute("href").map(str::to_owned) {
            links::set_href(element, href(book, page, &to));
        }
        if let Some(from) = element.attribute("src")
            && let Target::Inside { file, .. } = links::target(&page.html, from)
        {
            pictures.insert(file);
        }
    });
    let root = links::path_to_root(&page.html);
    let body = format!("<main>{}</main>", tree::to_xhtml(&text));
    document(book, &page.title, &root, "bodymatter", &body)
}

/// The address of a link in the EPUB; none if the linked file is not in it.
fn href(book: &Book, page: &Page, to: &str) -> Option<String> {
    let Target::Inside { file, fragment } = links::target(&page.html, to) else {
        return Some(to.to_owned());
    };
    let other = book.page(&file)?;
    let path = match other.html == page.html {
        true => String::new(),
        false => links::path_to_root(&page.html) + &other.file("xhtml"),
    };
    Some(match fragment.as_str() {
        "" if path.is_empty() => page
            .file("xhtml")
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
        "" => path,
        fragment => format!("{path}#{fragment}"),
    })
}

fn document(book: &Book, title: &str, root: &str, kind: &str, body: &str) -> String {
    format!(
        include_str!("../style/page.xhtml"),
        language = escape(&book.language),
        title = escape(title),
        root = root,
        kind = kind,
        body = body,
    )
}

fn title_page(book: &Book) -> String {
    let mut body = format!(
        "<section class=\"title\" epub:type=\"titlepage\">\n<h1>{}</h1>\n<p>{}</p>\n",
        escape(&book.title),
        escape(&book.description)
    );
    for author in &book.authors {
        let _ = writeln!(body, "<p>{}</p>", escape(author));
    }
    let _ = write!(
        body,
        "<p>Verified with {}.</p>\n<p>{}</p>\n<p>{RIGHTS}</p>\n</section>",
        escape(&book.edition),
        book.day()
    );
    document(book, &book.title, "", "frontmatter", &body)
}

/// The table of contents, which is a page of its own in an EPUB.
fn nav(book: &Book) -> String {
    let mut body = String::from("<nav epub:type=\"toc\" id=\"toc\">\n<h1>Contents</h1>\n");
    body.push_str(&book.list(&book.contents, &addresses));
    let first = book.pages.first().map(|page| page.file("xhtml"));
    let _ = write!(
        body,
        "</nav>\n<nav epub:type=\"landmarks\" hidden=\"hidden\">\n<h2>Landmarks</h2>\n<ol>\n\
         <li><a epub:type=\"titlepage\" href=\"title.xhtml\">Title page</a></li>\n\
         <li><a epub:type=\"toc\" href=\"nav.xhtml\">Contents</a></li>\n\
         <li><a epub:type=\"bodymatter\" href=\"{}\">Text</a></li>\n</ol>\n</nav>",
        first.unwrap_or_default()
    );
    document(book, "Contents", "", "frontmatter", &body)
}

/// The address of a page, and those of its sections with their titles.
fn addresses(page: &Page) -> (String, Vec<(String, String)>) {
    let file = page.file("xhtml");
    let sections = page.sections().into_iter();
    let sections = sections.map(|(id, title)| (format!("{file}#{id}"), title));
    let sections = sections.collect();
    (file, sections)
}

/// The package document: metadata, the list of files, and the reading order.
fn package(book: &Book, pictures: &BTreeSet<String>) -> Result<String> {
    let mut about = String::new();
    for author in &book.authors {
        let _ = writeln!(about, "<dc:creator>{}</dc:creator>", escape(author));
    }
    if !book.description.is_empty() {
        let description = escape(&book.description);
        let _ = writeln!(about, "<dc:description>{description}</dc:description>");
    }
    let (mut items, mut order) = (String::new(), String::new());
    for (number, page) in book.pages.iter().enumerate() {
        let properties = if has_svg(page.text()) {
            " properties=\"svg\""
        } else {
            ""
        };
        let _ = writeln!(
            items,
            "<item id=\"page-{number}\" href=\"{}\" media-type=\"application/xhtml+xml\"{properties}/>",
            escape(&page.file("xhtml"))
        );
        let _ = writeln!(order, "<itemref idref=\"page-{number}\"/>");
    }
    for (number, picture) in pictures.iter().enumerate() {
        let _ = writeln!(
            items,
            "<item id=\"picture-{number}\" href=\"{}\" media-type=\"{}\"/>",
            escape(picture),
            media_type(picture)?
        );
    }
    Ok(format!(
        include_str!("../style/content.opf"),
        language = escape(&book.language),
        identifier = identifier(&book.title),
        title = escape(&book.title),
        about = about,
        rights = RIGHTS,
        day = book.day(),
        edition = escape(&book.edition),
        date = book.date,
        items = items,
        order = order,
    ))
}

/// The identifier of the work, which is the same for all its editions: a UUID made from its title.
fn identifier(title: &str) -> String {
    // FNV-1a with 128 bits: one hash a book is not worth a dependency.
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = title.bytes().fold(START, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    });
    // Version 8 (custom), variant 2.
    let hash = hash & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{hash:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &hex[group]);
    format!("urn:uuid:{}", groups.join("-"))
}

/// The media type of a picture. E-book readers show only these kinds.
fn media_type(picture: &str) -> Result<&'static str> {
    let ending = picture.rsplit('.').next().unwrap_or_default();
    Ok(match ending {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        _ => bail!(
            "{picture}: e-book readers show .svg, .png, .jpg, and .gif; convert it to one of these"
        ),
    })
}

const CONTAINER: &str = include_str!("../style/container.xml");

fn pack(book: &Book, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let numbers: Vec<u16> = book
        .date
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect();
    let date = match numbers.as_slice() {
        &[year, month, day, hour, minute, second] => {
            let [month, day, hour, minute, second] =
                [month, day, hour, minute, second].map(|number| u8::try_from(number).unwrap_or(0));
            // A ZIP cannot store years before 1980.
            DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
        }
        _ => None,
    };
    let options = SimpleFileOptions::default().last_modified_time(date.unwrap_or_default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // First and uncompressed: programs recognize an EPUB by these bytes.
    zip.start_file(
        "mimetype",
        options.compression_method(CompressionMethod::Stored),
    )?;
    zip.write_all(b"application/epub+zip")?;
    let options = options.compression_method(CompressionMethod::Deflated);
    zip.start_file("META-INF/container.xml", options)?;
    zip.write_all(CONTAINER.as_bytes())?;
    for (name, bytes) in files {
        zip.start_file(format!("{FOLDER}/{name}"), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Whether there is an SVG picture among these nodes.
fn has_svg(nodes: &[Node]) -> bool {
    let mut has_svg = false;
    tree::each(nodes, &mut |element| has_svg |= element.name == "svg");
    has_svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_is_a_uuid_made_from_the_title() {
        assert_eq!(
            identifier("Rust Async Patterns"),
            "urn:uuid:4d6b0787-e8c3-8b51-b0ff-38717bed3a56"
        );
    }

    #[test]
    fn unsupported_pictures_are_rejected() {
        assert_eq!(media_type("a/b.svg").expect("known"), "image/svg+xml");
        let error = media_type("a/b.webp").expect_err("unknown");
        assert!(error.to_string().starts_with("a/b.webp: "), "{error}");
    }
}
