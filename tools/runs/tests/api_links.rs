//! rustdoc finds the APIs that a small book names, and what it does not find is reported with its page and
//! line.

use model::Project;
use runs::api_links::look_up;
use scratch::{cases, is_like, missing_line};

#[test]
fn each_name_is_found_or_reported() {
    for case in cases(include_str!("api_links.txt")) {
        let book = case.book();
        let project = Project::open(book.root()).expect("a book");
        let found = look_up(&project).expect("rustdoc can be asked");
        let problems: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
        let expected: Vec<_> = case.get("problems").lines().collect();
        assert_eq!(
            problems.len(),
            expected.len(),
            "{}: {problems:#?}",
            case.name
        );
        let mut pairs = problems.iter().zip(expected);
        assert!(
            pairs.all(|(it, expected)| is_like(it, expected)),
            "{problems:#?}"
        );
        let map = found.map.to_toml();
        assert_eq!(missing_line(&map, case.get("found")), None, "{map}");
    }
}
