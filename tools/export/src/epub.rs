//! The whole book as an EPUB: its pages as XHTML in a ZIP, with their order and what is told about them.

use crate::book::{Book, Item, Page, RIGHTS};
use crate::links::{self, Target};
use crate::tree::{self, Node, change_each, escape};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The folder in the EPUB that holds the book.
const FOLDER: &str = "OEBPS";

/// How it looks.
pub const STYLE: &str = include_str!("../style/epub.css");

/// The EPUB's bytes; the same for the same site.
///
/// A link to what is no page becomes its text, and a picture that is not there stays out: that a page has
/// such a thing, `tests/pages.rs` tells with its line.
///
/// # Errors
///
/// A file of the site cannot be read.
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
    let mut text = page.text.clone();
    change_each(&mut text, &mut |element| {
        if let Some(to) = element.attribute("href").map(str::to_owned) {
            links::lead(element, linked(book, page, &to));
        }
        if let Some(from) = element.attribute("src")
            && let Target::Inside { file, .. } = links::target(&page.html, from)
        {
            pictures.insert(file);
        }
    });
    let up = links::up(&page.html);
    let body = format!("<main>{}</main>", tree::to_xhtml(&text));
    document(book, &page.title, &up, "bodymatter", &body)
}

/// How a link is written in the EPUB; not at all where it leads to a file that is not in it.
fn linked(book: &Book, page: &Page, to: &str) -> Option<String> {
    let Target::Inside { file, fragment } = links::target(&page.html, to) else {
        return Some(to.to_owned());
    };
    let other = book.page(&file)?;
    let path = match other.html == page.html {
        true => String::new(),
        false => links::up(&page.html) + &other.file("xhtml"),
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

fn document(book: &Book, title: &str, up: &str, kind: &str, body: &str) -> String {
    let language = escape(&book.language);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:epub=\"http://www.idpf.org/2007/ops\" \
         lang=\"{language}\" xml:lang=\"{language}\">\n<head>\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" type=\"text/css\" href=\"{up}book.css\"/>\n</head>\n\
         <body epub:type=\"{kind}\">\n{body}\n</body>\n</html>\n",
        title = escape(title),
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
        book.date.day()
    );
    document(book, &book.title, "", "frontmatter", &body)
}

/// The table of contents, which an EPUB must have as a page.
fn nav(book: &Book) -> String {
    let mut body = String::from("<nav epub:type=\"toc\" id=\"toc\">\n<h1>Contents</h1>\n");
    body.push_str(&list(book, &book.contents));
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

fn list(book: &Book, items: &[Item]) -> String {
    let mut html = String::from("<ol>\n");
    for item in items {
        let page = item.page.and_then(|index| book.pages.get(index));
        let title = escape(&item.title);
        match page {
            Some(page) => {
                let _ = write!(html, "<li><a href=\"{}\">{title}</a>", page.file("xhtml"));
            }
            None => {
                let _ = write!(html, "<li><span>{title}</span>");
            }
        }
        let sections = page.map_or(Vec::new(), |page| {
            let link = |(id, title): (String, String)| {
                format!(
                    "<li><a href=\"{}#{}\">{}</a></li>\n",
                    page.file("xhtml"),
                    escape(&id),
                    escape(&title)
                )
            };
            page.sections().into_iter().map(link).collect()
        });
        let below = list(book, &item.children);
        let below = below
            .trim_start_matches("<ol>\n")
            .trim_end_matches("</ol>\n");
        if !sections.is_empty() || !below.is_empty() {
            let _ = write!(html, "\n<ol>\n{}{below}</ol>\n", sections.concat());
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ol>\n");
    html
}

/// What the EPUB is, what it holds, and in which order.
fn package(book: &Book, pictures: &BTreeSet<String>) -> Result<String> {
    let mut about = format!(
        "<dc:identifier id=\"id\">{}</dc:identifier>\n<dc:title>{}</dc:title>\n<dc:language>{}</dc:language>\n",
        identifier(&book.title),
        escape(&book.title),
        escape(&book.language)
    );
    for author in &book.authors {
        let _ = writeln!(about, "<dc:creator>{}</dc:creator>", escape(author));
    }
    if !book.description.is_empty() {
        let description = escape(&book.description);
        let _ = writeln!(about, "<dc:description>{description}</dc:description>");
    }
    let _ = write!(
        about,
        "<dc:rights>{RIGHTS}</dc:rights>\n<dc:date>{}</dc:date>\n<dc:source>{}</dc:source>\n\
         <meta property=\"dcterms:modified\">{}</meta>\n",
        book.date.day(),
        escape(&book.edition),
        book.date.moment()
    );
    for (property, value) in ACCESSIBILITY {
        let _ = writeln!(about, "<meta property=\"schema:{property}\">{value}</meta>");
    }
    let mut items = String::from(
        "<item id=\"nav\" href=\"nav.xhtml\" media-type=\"application/xhtml+xml\" properties=\"nav\"/>\n\
         <item id=\"style\" href=\"book.css\" media-type=\"text/css\"/>\n\
         <item id=\"title\" href=\"title.xhtml\" media-type=\"application/xhtml+xml\"/>\n",
    );
    let mut order = String::from("<itemref idref=\"title\"/>\n<itemref idref=\"nav\"/>\n");
    for (number, page) in book.pages.iter().enumerate() {
        let properties = if has_svg(&page.text) {
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
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <package xmlns=\"http://www.idpf.org/2007/opf\" version=\"3.0\" unique-identifier=\"id\" \
         xml:lang=\"{}\">\n<metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n{about}</metadata>\n\
         <manifest>\n{items}</manifest>\n<spine>\n{order}</spine>\n</package>\n",
        escape(&book.language)
    ))
}

/// What a reader can rely on who does not see the page, in the words of schema.org.
const ACCESSIBILITY: &[(&str, &str)] = &[
    ("accessMode", "textual"),
    ("accessMode", "visual"),
    ("accessModeSufficient", "textual"),
    ("accessibilityFeature", "structuralNavigation"),
    ("accessibilityFeature", "tableOfContents"),
    ("accessibilityFeature", "readingOrder"),
    ("accessibilityFeature", "alternativeText"),
    ("accessibilityFeature", "longDescription"),
    ("accessibilityFeature", "displayTransformability"),
    ("accessibilityHazard", "none"),
    (
        "accessibilitySummary",
        "All of the book is text. Each picture of a run is followed by the same run in words.",
    ),
];

/// The name of the work, which is the same for all its editions: a UUID made of its title.
fn identifier(title: &str) -> String {
    // FNV-1a, of 128 bits.
    let hash = title.bytes().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    // Version 8: made in a way of one's own.
    let hash = hash & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{hash:032x}");
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// The kinds of pictures that every e-book reader shows.
fn media_type(picture: &str) -> Result<&'static str> {
    let ending = picture.rsplit('.').next().unwrap_or_default();
    Ok(match ending {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        _ => bail!(
            "{picture}: e-book readers show .svg, .png, .jpg and .gif; make one of these of it"
        ),
    })
}

const CONTAINER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <container version=\"1.0\" xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\">\n\
    <rootfiles><rootfile full-path=\"OEBPS/content.opf\" media-type=\"application/oebps-package+xml\"/></rootfiles>\n\
    </container>\n";

fn pack(book: &Book, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let (year, month, day) = book.date.day;
    let (hour, minute, second) = book.date.time;
    let year = u16::try_from(year).unwrap_or(1980);
    // A ZIP knows no time before 1980.
    let date = DateTime::from_date_and_time(year, month, day, hour, minute, second);
    let options = SimpleFileOptions::default().last_modified_time(date.unwrap_or_default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // First, and as it is: by these bytes an EPUB is told from other ZIPs.
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

/// Whether these nodes have a picture that is drawn inside of them.
fn has_svg(nodes: &[Node]) -> bool {
    let mut has_svg = false;
    tree::each(nodes, &mut |element| has_svg |= element.name == "svg");
    has_svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_is_a_uuid_that_stays() {
        assert_eq!(
            identifier("Rust Async Patterns"),
            identifier("Rust Async Patterns")
        );
        let other = identifier("Another");
        assert_ne!(other, identifier("Rust Async Patterns"));
        assert_eq!(other.len(), "urn:uuid:".len() + 36);
        assert_eq!(&other["urn:uuid:".len() + 14..][..1], "8");
    }

    #[test]
    fn a_picture_that_readers_do_not_show_is_refused() {
        assert_eq!(media_type("a/b.svg").expect("known"), "image/svg+xml");
        let error = media_type("a/b.webp").expect_err("unknown");
        assert!(error.to_string().starts_with("a/b.webp: "), "{error}");
    }
}
