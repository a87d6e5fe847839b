//! Seconds as places on a line.

/// A line of `length` places that shows the seconds from 0 to `seconds`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    seconds: u64,
    length: f64,
}

impl Scale {
    pub(super) fn new(seconds: u64, length: f64) -> Self {
        Self {
            seconds: seconds.max(1),
            length,
        }
    }

    /// Where a second is.
    #[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
    pub(super) fn at(self, second: u64) -> f64 {
        self.fraction(second as f64)
    }

    /// Where a part of a second is.
    #[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
    pub(super) fn fraction(self, second: f64) -> f64 {
        (second / self.seconds as f64 * self.length).clamp(0.0, self.length)
    }

    /// The column that a second is in.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the length"
    )]
    pub(super) fn column(self, second: u64) -> usize {
        self.at(second).round() as usize
    }

    /// Round seconds for marks, `most` of them at most besides 0.
    pub(super) fn marks(self, most: u64) -> impl Iterator<Item = u64> {
        const STEPS: [u64; 15] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400,
        ];
        let fits = |step: &u64| self.seconds / step <= most;
        let step = STEPS
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| self.seconds.div_ceil(most.max(1)));
        (0..=self.seconds / step).map(move |index| index * step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_time_has_a_few_round_marks() {
        for seconds in [0, 1, 7, 35, 600, 86_400, u64::MAX] {
            let scale = Scale::new(seconds, 50.0);
            let marks: Vec<u64> = scale.marks(8).collect();
            assert!((2..=9).contains(&marks.len()), "{seconds}: {marks:?}");
            assert_eq!(marks[0], 0);
            assert!(marks.iter().all(|mark| scale.column(*mark) <= 50));
        }
        assert_eq!(
            Scale::new(35, 50.0).marks(8).collect::<Vec<_>>(),
            [0, 5, 10, 15, 20, 25, 30, 35]
        );
    }
}
