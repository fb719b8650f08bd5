//! What the listing prints.

use crate::writer;
use std::fmt::Arguments;
use timeline::log::Event;

/// Prints as `std::print!` does, and writes it down with the line of the listing where it was.
pub fn print(line: u32, text: Arguments<'_>) {
    let text = text.to_string();
    if writer::is_recorded_here() {
        writer::write(Event::Printed {
            line,
            text: text.clone(),
        });
    }
    std::print!("{text}");
}
