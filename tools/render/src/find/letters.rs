//! The first letters whose names are on one page of the index of APIs, as `a-i`.

use model::Project;
use model::directive::{Directive, Index};
use model::uses;
use std::ops::RangeInclusive;

/// Checks that the pages of the index have each letter once; `own` are the letters of the page to name.
///
/// # Errors
///
/// The pages leave a letter out, or have one twice.
pub fn check(project: &Project, own: &RangeInclusive<char>) -> Result<(), String> {
    let pages = uses::pages(project);
    let directives = pages.iter().flat_map(|page| &page.directives);
    let all: Vec<_> = directives
        .filter_map(|placed| match &placed.directive {
            Ok(Directive::Index(Index::Apis(letters))) => Some(letters),
            _ => None,
        })
        .collect();
    for letter in 'a'..='z' {
        let (problem, fix) = match all.iter().filter(|one| one.contains(&letter)).count() {
            1 => continue,
            0 => ("on no page", "widen"),
            _ => ("on several pages", "narrow"),
        };
        return Err(format!(
            "the names that begin with `{letter}` are {problem}; {fix} {}-{}",
            own.start(),
            own.end()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn pages_have_each_letter_once() {
        for (pages, problem) in [
            (&["a-z"][..], None),
            (&["a-r", "s", "t-z"], None),
            (&["a-r", "t-z"], Some("`s` are on no page")),
            (&["a-s", "s-z"], Some("`s` are on several pages")),
        ] {
            let book = Scratch::sound();
            for (number, letters) in pages.iter().enumerate() {
                book.write(
                    &format!("src/apis_{number}.md"),
                    format!("# APIs\n\n{{{{#index apis {letters}}}}}\n"),
                );
            }
            let project = Project::open(book.root()).expect("a book");
            let result = check(&project, &('a'..='z'));
            match problem {
                None => assert_eq!(result, Ok(())),
                Some(problem) => {
                    let message = result.expect_err("it is refused");
                    assert!(message.contains(problem), "{message}");
                }
            }
        }
    }
}
