//! Dealing loads out to jobs so that the last one is done early.
//!
//! Loads go to whichever job of their kind has the least yet, the heaviest first (longest processing
//! time first). The last of m jobs is done no later than 4/3 - 1/(3m) times the best that anybody
//! could do: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969.

/// Deals loads with these `weights` out to at most `jobs` jobs: which loads each of them gets, by
/// their places. No job stays empty. What is alike goes by its place, so that the same comes out
/// every time.
pub(super) fn deal(weights: &[f64], jobs: usize) -> Vec<Vec<usize>> {
    let count = jobs.clamp(1, weights.len().max(1));
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    let mut dealt = vec![(0.0_f64, Vec::new()); count];
    for load in order {
        let by_load = |(a, b): (usize, &(f64, Vec<usize>)), (c, d): (usize, &(f64, Vec<usize>))| {
            // Of jobs with the same load, one that has nothing yet: loads may weigh nothing.
            b.0.total_cmp(&d.0).then(b.1.len().cmp(&d.1.len())).then(a.cmp(&c))
        };
        let least = dealt.iter().enumerate().min_by(|a, b| by_load(*a, *b)).map(|(at, _)| at);
        if let Some((sum, loads)) = least.map(|at| &mut dealt[at]) {
            *sum += weights[load];
            loads.push(load);
        }
    }
    dealt.retain(|(_, loads)| !loads.is_empty());
    dealt.into_iter().map(|(_, loads)| loads).collect()
}

/// How many of `jobs` each kind of loads gets: one at least, and the rest one by one to the kind
/// whose last job would be done last.
pub(super) fn share(kinds: &[Vec<f64>], jobs: usize) -> Vec<usize> {
    let mut counts = vec![1; kinds.len()];
    let mut spans: Vec<f64> = kinds.iter().map(|weights| span(weights, 1)).collect();
    for _ in kinds.len()..jobs {
        let can_grow = |at: &usize| counts[*at] < kinds[*at].len();
        let last = (0..kinds.len())
            .filter(can_grow)
            .max_by(|a, b| spans[*a].total_cmp(&spans[*b]).then(b.cmp(a)));
        let Some(at) = last else { break };
        counts[at] += 1;
        spans[at] = span(&kinds[at], counts[at]);
    }
    counts
}

/// When the last of `jobs` jobs is done.
fn span(weights: &[f64], jobs: usize) -> f64 {
    let sum = |loads: &Vec<usize>| loads.iter().map(|load| weights[*load]).sum::<f64>();
    deal(weights, jobs).iter().map(sum).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(weights: &[f64], jobs: usize) -> f64 {
        fn go(weights: &[f64], loads: &mut Vec<f64>, best: &mut f64) {
            let Some((first, rest)) = weights.split_first() else {
                *best = best.min(loads.iter().copied().fold(0.0, f64::max));
                return;
            };
            for at in 0..loads.len() {
                loads[at] += first;
                if loads[at] < *best {
                    go(rest, loads, best);
                }
                loads[at] -= first;
            }
        }
        let mut found = weights.iter().sum::<f64>() + 1.0;
        go(weights, &mut vec![0.0; jobs], &mut found);
        found
    }

    #[test]
    fn the_heaviest_come_first() {
        assert_eq!(deal(&[1.0, 5.0, 4.0, 2.0], 2), [vec![1, 0], vec![2, 3]]);
        assert_eq!(deal(&[], 3), Vec::<Vec<usize>>::new());
        assert_eq!(deal(&[0.0, 0.0], 5), [[0], [1]]);
    }

    #[test]
    fn jobs_go_to_the_kind_that_takes_longest() {
        let kinds = [vec![1.0; 3], vec![10.0; 4], vec![2.0]];
        assert_eq!(share(&kinds, 5), [1, 3, 1]);
        assert_eq!(share(&kinds, 2), [1, 1, 1], "a kind has one at least");
        assert_eq!(share(&kinds, 99), [3, 4, 1], "and no more than it has loads");
    }

    proptest! {
        #[test]
        fn each_load_is_dealt_once_and_no_job_is_idle(
            weights in prop::collection::vec(0.0..100.0_f64, 0..60),
            jobs in 1..20_usize,
        ) {
            let dealt = deal(&weights, jobs);
            let mut all: Vec<usize> = dealt.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..weights.len()).collect::<Vec<_>>());
            prop_assert_eq!(dealt.len(), jobs.min(weights.len()));
            prop_assert!(dealt.iter().all(|loads| !loads.is_empty()));
            prop_assert_eq!(deal(&weights, jobs), dealt);
        }

        #[test]
        fn the_last_job_is_done_within_the_bound(
            weights in prop::collection::vec(1..40_u8, 1..9),
            jobs in 1..4_usize,
        ) {
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            #[allow(clippy::cast_precision_loss, reason = "three jobs at most")]
            let bound = 4.0 / 3.0 - 1.0 / (3.0 * jobs as f64);
            prop_assert!(span(&weights, jobs) <= best(&weights, jobs) * bound + 1e-9);
        }

        #[test]
        fn jobs_are_shared_out_to_the_last(
            kinds in prop::collection::vec(prop::collection::vec(0.0..9.0_f64, 1..9), 1..6),
            jobs in 1..30_usize,
        ) {
            let counts = share(&kinds, jobs);
            let loads: usize = kinds.iter().map(Vec::len).sum();
            prop_assert_eq!(counts.iter().sum::<usize>(), jobs.clamp(kinds.len(), loads));
        }
    }
}
