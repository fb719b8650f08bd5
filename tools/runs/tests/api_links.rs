//! rustdoc finds the APIs that a small book names, and what it does not find is reported with its page and
//! line.

use model::Project;
use model::api::{Place, SCOPE};
use runs::api_links::{Found, look_up};
use scratch::Scratch;

fn found(page: &str, scope: &str) -> Found {
    let book = Scratch::sound();
    book.write("src/page.md", page);
    book.write(SCOPE, scope);
    let project = Project::open(book.root()).expect("a book");
    look_up(&project).expect("rustdoc can be asked")
}

fn report(found: &Found) -> Vec<String> {
    found.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn names_are_understood_under_the_scope_or_with_their_path() {
    let page =
        "# Page\n\n[`Arc::clone`], [`Vec`] and [a map][std::collections::BTreeMap::entry].\n";
    let found = found(page, "use std::sync::Arc;\n");
    assert_eq!(report(&found), Vec::<String>::new());
    let place = |name: &str| found.map.0.get(name).expect("it was found").clone();
    let std = |page: &str| Place {
        package: "std".to_owned(),
        page: page.to_owned(),
    };
    assert_eq!(place("Vec"), std("alloc/vec/struct.Vec.html"));
    let method = place("std::collections::BTreeMap::entry");
    assert!(
        method.page.ends_with("struct.BTreeMap.html#method.entry"),
        "{method:?}"
    );
}

#[test]
fn a_name_that_does_not_exist_is_reported_on_every_page_that_has_it() {
    let found = found(
        "# Page\n\n[`Vec::psuh`]\n\nand\n[once more][std::vec::Vec::psuh]\n[`Vec::psuh`]\n",
        "",
    );
    let problems = report(&found);
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, start) in problems.iter().zip([
        "src/page.md:3: `Vec::psuh` is no API that the documentation of the book's crates has: the struct `Vec` has \
         no field or associated item named `psuh`. ",
        "src/page.md:7: `Vec::psuh` is no API",
        "src/page.md:6: `std::vec::Vec::psuh` is no API",
    ]) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_mistake_in_the_scope_is_reported_with_its_line() {
    let found = found(
        "# Page\n\n[`Vec`]\n",
        "// Names.\nuse std::sync::Arc;\nuse std::sync::Mutx;\n",
    );
    let problems = report(&found);
    assert!(
        problems[0].starts_with("listings/api-scope.rs:3: unresolved import"),
        "{problems:?}"
    );
}
