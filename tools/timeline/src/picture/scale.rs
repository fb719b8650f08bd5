//! Where moments and columns lie, from left to right, in percent of the picture's width.

use super::layout::{Column, Layout};
use crate::format::Millis;
use std::collections::BTreeMap;

/// The width of a column, at most and at least.
const COLUMN: (f64, f64) = (2.0, 0.8);

/// The width of a column, at most, if no time passes in the whole run.
const COLUMN_ALONE: f64 = 12.0;

/// What all columns take together, at most.
const ALL_COLUMNS: f64 = 45.0;

/// The width of the time between two moments, at least.
const GAP: f64 = 1.2;

/// With more columns than this, the columns of a moment share one place.
const MAX_COLUMNS: usize = 56;

/// The most moments of a picture.
const MAX_MOMENTS: usize = 60;

/// A wait this many times as long as the usual one is compressed, to half of that.
const LONG_FACTOR: u64 = 8;

/// A point of time.
pub struct Moment {
    /// When.
    pub at: Millis,
    /// Where its columns begin.
    pub x: f64,
    /// How wide they are together.
    pub width: f64,
    /// Whether the time before it is drawn shorter than to scale.
    pub compressed: bool,
}

/// The places of all moments.
pub struct Scale {
    moments: BTreeMap<u64, Moment>,
    column: f64,
}

impl Scale {
    /// One scale for all layouts. Sets the slot of each column.
    ///
    /// Fails if there are too many moments.
    pub fn of(layouts: &mut [Layout]) -> Result<Self, String> {
        let mut slots: BTreeMap<u64, usize> = BTreeMap::new();
        for layout in layouts.iter_mut() {
            for moment in &layout.moments {
                slots.entry(moment.micros()).or_default();
            }
            for moment in layout.columns.chunk_by_mut(|a, b| a.at == b.at) {
                let count = slots.entry(moment[0].at.micros()).or_default();
                *count = moment.len().max(*count);
                for (slot, column) in moment.iter_mut().enumerate() {
                    column.slot = slot;
                }
            }
        }
        if slots.len() > MAX_MOMENTS {
            return Err(format!(
                "something happens at {} different times, and a picture can tell {MAX_MOMENTS} apart; let \
                 the listing do less",
                slots.len()
            ));
        }
        if slots.values().sum::<usize>() > MAX_COLUMNS {
            slots.values_mut().for_each(|count| *count = 1.min(*count));
            let columns = layouts.iter_mut().flat_map(|layout| &mut layout.columns);
            columns.for_each(|column| column.slot = 0);
        }
        let count = slots.values().sum::<usize>().max(1) as f64;
        let times: Vec<u64> = slots.keys().copied().collect();
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let column = match gaps.as_slice() {
            // No time passes in the whole run.
            [] => (100.0 / count).min(COLUMN_ALONE),
            _ => (ALL_COLUMNS / count).clamp(COLUMN.1, COLUMN.0),
        };
        let longest = longest(&gaps);
        let weights: Vec<u64> = gaps.iter().map(|gap| *gap.min(&longest)).collect();
        let all: u64 = weights.iter().sum::<u64>().max(1);
        let rest = 100.0 - count * column - GAP * gaps.len() as f64;
        let mut moments = BTreeMap::new();
        let mut x = 0.0;
        for (index, (at, slots)) in slots.into_iter().enumerate() {
            let before = index.checked_sub(1);
            if let Some(before) = before {
                x += GAP + rest * weights[before] as f64 / all as f64;
            }
            let width = column * slots as f64;
            let moment = Moment {
                at: Millis::from_micros(at),
                x,
                width,
                compressed: before.is_some_and(|before| gaps[before] > longest),
            };
            moments.insert(at, moment);
            x += width;
        }
        Ok(Self { moments, column })
    }

    /// All moments, in order.
    pub fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.moments.values()
    }

    /// Whether any time is drawn shorter than to scale.
    pub fn is_compressed(&self) -> bool {
        self.moments().any(|moment| moment.compressed)
    }

    /// Where a column begins.
    pub fn start(&self, column: &Column) -> f64 {
        self.before(column.at) + self.column * column.slot as f64
    }

    /// Where a column ends.
    pub fn end(&self, column: &Column) -> f64 {
        let end = column.polls.iter().map(|poll| poll.to).max();
        let end = end.filter(|to| *to > column.at);
        // A poll during which time passes: it advances the clock.
        end.map_or(self.start(column) + self.column, |to| self.before(to))
    }

    /// Where the moment begins.
    pub fn before(&self, at: Millis) -> f64 {
        self.moments
            .get(&at.micros())
            .map_or(0.0, |moment| moment.x)
    }

    /// Where the moment ends.
    pub fn after(&self, at: Millis) -> f64 {
        let moment = self.moments.get(&at.micros());
        moment.map_or(0.0, |moment| moment.x + moment.width)
    }
}

/// The longest time that is drawn to scale.
fn longest(gaps: &[u64]) -> u64 {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    let usual = sorted.get(sorted.len().saturating_sub(1) / 2).copied();
    let usual = usual.unwrap_or(0);
    if sorted
        .last()
        .is_some_and(|most| *most > usual * LONG_FACTOR)
    {
        usual * LONG_FACTOR / 2
    } else {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_far_longer_than_the_others_is_compressed() {
        assert_eq!(longest(&[100, 100, 800]), u64::MAX);
        assert_eq!(longest(&[100, 100, 801]), 400);
        assert_eq!(longest(&[100, 3_600_000]), 400);
        assert_eq!(longest(&[3_600_000]), u64::MAX);
        assert_eq!(longest(&[]), u64::MAX);
    }
}
