//! The first letters whose names stand on one page of an index, as `a-i`.

use crate::project::Project;
use crate::uses;
use std::ops::RangeInclusive;

/// The letters that a page asks for.
///
/// # Errors
///
/// They are not written as `a-i`, or the pages of the book leave a letter out, or have one twice.
pub fn of_page(project: &Project, letters: &str) -> Result<RangeInclusive<char>, String> {
    let own = parse(letters)?;
    let mut all = Vec::new();
    for file in uses::pages_below(project, "src") {
        let text = project.read(&file).map_err(|problem| problem.to_string())?;
        for part in text.split("{{#index apis ").skip(1) {
            let letters = part.split("}}").next().unwrap_or_default();
            all.extend(parse(letters)?);
        }
    }
    for letter in 'a'..='z' {
        match all.iter().filter(|one| **one == letter).count() {
            1 => {}
            0 => {
                return Err(format!(
                    "the names that begin with `{letter}` are on no page; widen {letters}"
                ));
            }
            _ => {
                return Err(format!(
                    "the names that begin with `{letter}` are on several pages; narrow {letters}"
                ));
            }
        }
    }
    Ok(own)
}

fn parse(letters: &str) -> Result<RangeInclusive<char>, String> {
    let one = |text: &str| match text.trim().parse::<char>() {
        Ok(letter) if letter.is_ascii_lowercase() => Ok(letter),
        _ => Err(format!(
            "`{letters}` does not say which letters; write a-i, or a-z for all"
        )),
    };
    let (first, last) = letters.split_once('-').unwrap_or((letters, letters));
    Ok(one(first)?..=one(last)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    fn letters_of(pages: &[&str]) -> Result<RangeInclusive<char>, String> {
        let book = Scratch::sound();
        for (number, letters) in pages.iter().enumerate() {
            book.write(
                &format!("src/apis_{number}.md"),
                format!("# APIs\n\n{{{{#index apis {letters}}}}}\n"),
            );
        }
        of_page(&Project::open(book.root()).expect("a book"), pages[0])
    }

    #[test]
    fn pages_share_the_letters() {
        assert_eq!(letters_of(&["a-z"]), Ok('a'..='z'));
        assert_eq!(letters_of(&["a-r", "s", "t-z"]), Ok('a'..='r'));
    }

    #[test]
    fn a_letter_left_out_is_told() {
        let told = letters_of(&["a-r", "t-z"]).expect_err("it is refused");
        assert!(told.contains("`s` are on no page"), "{told}");
    }

    #[test]
    fn a_letter_on_two_pages_is_told() {
        let told = letters_of(&["a-s", "s-z"]).expect_err("it is refused");
        assert!(told.contains("`s` are on several pages"), "{told}");
    }

    #[test]
    fn what_is_no_letter_is_told() {
        let told = letters_of(&["A-Z"]).expect_err("it is refused");
        assert!(told.contains("write a-i"), "{told}");
    }
}
