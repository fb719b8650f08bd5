//! The breakages that `promises.toml` can't describe, by what is broken.

pub mod anchors;
pub mod dependencies;
pub mod files;
pub mod hazards;
pub mod links;
pub mod measurements;
pub mod mistakes;

use crate::breakage::Breakage;
use crate::snapshot::BookSnapshot;
use fastrand::Rng;

/// The breakages of a promise that are made here; none for one that the book has no place for.
pub fn special(number: usize, snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    match number {
        1 => vec![dependencies::missing_feature(snapshot, rng)],
        5 => vec![mistakes::fixed_error(snapshot, rng)],
        6 => mistakes::fixed_mistakes(snapshot, rng),
        7 => anchors::without_code(snapshot, rng),
        8 => vec![
            links::renamed_heading(snapshot, rng),
            links::lost_heading(snapshot, rng),
            links::moved_page(snapshot, rng),
        ],
        9 => vec![links::removed_api(snapshot, rng)],
        10 => files::orphans(snapshot, rng),
        13 => measurements::unmeasured(snapshot, rng),
        14 => vec![files::removed_timeline(snapshot, rng)],
        16 => dependencies::new_releases(snapshot, rng),
        17 => {
            let mut breakages = vec![hazards::unmet(snapshot, rng)];
            breakages.extend(hazards::weakened(snapshot, rng));
            breakages
        }
        _ => Vec::new(),
    }
}
