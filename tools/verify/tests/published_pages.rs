//! A page that was published does not vanish: a sound book loses one, and the message says where.

use model::Project;
use render::site;
use scratch::Scratch;
use std::process::Command;
use verify::published;

fn found(book: &Scratch) -> Vec<String> {
    let project = Project::open(book.root()).expect("a book");
    let pages = site::build(&project, &book.path("built")).expect("the book builds");
    let problems = published::lost_pages(&project, &pages).expect("the list can be read");
    problems.iter().map(ToString::to_string).collect()
}

fn book(published: &str, redirect: &str) -> Scratch {
    let book = Scratch::sound();
    book.write("published.txt", published);
    let config = book.read("book.toml");
    book.write(
        "book.toml",
        format!("{config}\n[output.html.redirect]\n{redirect}"),
    );
    book
}

#[test]
fn nothing_is_lost_where_all_is_there_or_redirected() {
    assert!(found(&book("page.html\n", "")).is_empty());
    assert!(
        found(&book(
            "old.html\npage.html\n",
            "\"/old.html\" = \"page.html\"\n"
        ))
        .is_empty()
    );
}

#[test]
fn a_page_that_is_gone_is_found_with_its_line() {
    let found = found(&book("page.html\nold.html\n", ""));
    assert!(
        found[0].starts_with("published.txt:2: the page old.html was published and is gone"),
        "{found:?}"
    );
}

#[test]
fn a_redirect_to_nowhere_is_found() {
    let found = found(&book(
        "old.html\npage.html\n",
        "\"/old.html\" = \"gone.html\"\n",
    ));
    assert_eq!(
        found,
        ["book.toml: the redirect from /old.html leads to gone.html, which is no page"]
    );
}

#[test]
fn a_new_page_is_to_be_listed() {
    assert_eq!(
        found(&book("", "")),
        ["src/page.md: is a new page; add the line `page.html` to published.txt"]
    );
}

#[test]
fn an_address_that_is_taken_off_the_list_is_remembered() {
    let book = Scratch::sound();
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@localhost"])
            .args(arguments)
            .current_dir(book.root())
            .status()
            .expect("git starts");
        assert!(status.success(), "{arguments:?}");
    };
    let project = Project::open(book.root()).expect("a book");
    let found = || -> Vec<String> {
        let found = published::forgotten(&project).expect("the list can be read");
        found.iter().map(ToString::to_string).collect()
    };
    book.write("published.txt", "first.html\npage.html\n");
    assert!(found().is_empty());
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=One"]);
    book.write("published.txt", "page.html\n");
    let told = "published.txt: the address first.html was on this list and is not";
    assert!(found()[0].starts_with(told), "{:?}", found());
    git(&["commit", "--quiet", "--all", "--message=Two"]);
    assert!(found()[0].starts_with(told), "{:?}", found());
    book.write("published.txt", "first.html\npage.html\n");
    assert!(found().is_empty());
}
