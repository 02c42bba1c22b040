//! Delta debugging: the parts of a whole without which something does not hold any more.

use std::collections::BTreeSet;

/// A set of which no single part can be left out, given that the whole set `holds` and the empty one does not. (Zeller and Hildebrandt,
/// "Simplifying and isolating failure-inducing input", 2002.)
///
/// # Errors
/// The first one of `holds`.
pub(super) fn minimal<E>(
    whole: &BTreeSet<usize>,
    holds: &mut dyn FnMut(&BTreeSet<usize>) -> Result<bool, E>,
) -> Result<BTreeSet<usize>, E> {
    let mut kept: Vec<usize> = whole.iter().copied().collect();
    let mut parts = 2;
    while kept.len() > 1 {
        let size = kept.len().div_ceil(parts);
        if let Some(smaller) = first(chunks(&kept, size), holds)? {
            (kept, parts) = (smaller.into_iter().collect(), 2);
            continue;
        }
        let without = |chunk: BTreeSet<usize>| kept.iter().copied().filter(|at| !chunk.contains(at)).collect();
        let rests: Vec<BTreeSet<usize>> = chunks(&kept, size).map(without).collect();
        // Of two parts each is the rest of the other.
        if let Some(smaller) = if rests.len() > 2 { first(rests.into_iter(), holds)? } else { None } {
            (kept, parts) = (smaller.into_iter().collect(), (parts - 1).max(2));
            continue;
        }
        if size == 1 {
            break;
        }
        parts = (parts * 2).min(kept.len());
    }
    Ok(kept.into_iter().collect())
}

fn chunks(kept: &[usize], size: usize) -> impl Iterator<Item = BTreeSet<usize>> {
    kept.chunks(size).map(|chunk| chunk.iter().copied().collect())
}

/// The first set that holds.
fn first<E>(
    sets: impl Iterator<Item = BTreeSet<usize>>,
    holds: &mut dyn FnMut(&BTreeSet<usize>) -> Result<bool, E>,
) -> Result<Option<BTreeSet<usize>>, E> {
    for set in sets {
        if holds(&set)? {
            return Ok(Some(set));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(count: usize, holds: impl Fn(&BTreeSet<usize>) -> bool) -> (Vec<usize>, usize) {
        let mut runs = 0;
        let mut asked = |set: &BTreeSet<usize>| -> Result<bool, ()> {
            runs += 1;
            Ok(holds(set))
        };
        let set = minimal(&(0..count).collect(), &mut asked).expect("nothing fails");
        (set.into_iter().collect(), runs)
    }

    #[test]
    fn what_is_needed_together_is_found_among_much_else() {
        for needed in [vec![3], vec![0, 15], vec![2, 7, 8], (0..16).collect()] {
            let (set, runs) = found(16, |set| needed.iter().all(|at| set.contains(at)));
            assert_eq!(set, needed);
            assert!(runs <= 80, "{runs} runs for {needed:?}");
        }
    }

    #[test]
    fn of_two_ways_one_is_found_of_which_nothing_can_be_left_out() {
        let holds = |set: &BTreeSet<usize>| set.contains(&1) && set.contains(&6) || set.contains(&4);
        let (set, _) = found(8, holds);
        let whole: BTreeSet<usize> = set.iter().copied().collect();
        assert!(holds(&whole));
        assert!(set.iter().all(|at| !holds(&(&whole - &BTreeSet::from([*at])))), "{set:?}");
    }
}
