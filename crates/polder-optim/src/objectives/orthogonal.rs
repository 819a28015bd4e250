//! Orthogonal triangularisation by Householder's reflections.

use super::wide::{Simd, Work, add_scaled, dot, dots, wide};

/// Turns columns, all equally long, into R of their thin QR decomposition, and `others` into Qᵀ times them.
///
/// Afterwards `columns[j][..=j]` holds column j of R, and the rest of a column nothing of use. Reflection k maps the
/// column's tail `a` (from place k) to `∓‖a‖e₁` by `v = a ± ‖a‖e₁`, `H = I − 2vvᵀ/vᵀv`. Source: Golub and Van Loan,
/// Matrix Computations, §5.2.
pub(super) fn triangularise(columns: &mut [Vec<f64>], others: &mut [Vec<f64>]) {
    let mut v = Vec::new();
    for k in 0..columns.len() {
        let (done, todo) = columns.split_at_mut(k + 1);
        let Some(tail) = done[k].get_mut(k..) else { return };
        let norm = dot(tail, tail).sqrt();
        let Some(first) = tail.first_mut() else { return };
        let image = if *first > 0.0 { -norm } else { norm };
        let before = std::mem::replace(first, image);
        v.clear();
        v.push(before - image);
        v.extend_from_slice(&tail[1..]);
        wide(Reflection { v: &v, from: k, columns: todo });
        wide(Reflection { v: &v, from: k, columns: others });
    }
}

/// `a ← a − (2vᵀa / vᵀv)·v` for the tail `a` of every column.
struct Reflection<'a> {
    v: &'a [f64],
    from: usize,
    columns: &'a mut [Vec<f64>],
}

impl Work for Reflection<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let square = dots(simd, self.v, [self.v])[0];
        if square == 0.0 {
            return;
        }
        for column in self.columns {
            let tail = &mut column[self.from..];
            let share = -2.0 * dots(simd, self.v, [&*tail])[0] / square;
            add_scaled(share, self.v, tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_columns_are_kept() {
        let (tall, wide_) = (17, 5);
        let column = |j: usize| (0..tall).map(|i| ((i * j + i + 3) as f64 * 0.37).sin()).collect::<Vec<f64>>();
        let before: Vec<_> = (0..wide_).map(column).collect();
        let other = column(11);
        let (mut columns, mut others) = (before.clone(), vec![other.clone()]);
        triangularise(&mut columns, &mut others);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for i in 0..wide_ {
            for j in 0..wide_ {
                let gram = product(&columns[i][..=i.min(j)], &columns[j][..=i.min(j)]);
                assert!((gram - product(&before[i], &before[j])).abs() < 1e-13, "{i} {j}");
            }
            let image = product(&columns[i][..=i], &others[0][..=i]);
            assert!((image - product(&before[i], &other)).abs() < 1e-13, "{i}");
        }
        assert!((product(&others[0], &others[0]) - product(&other, &other)).abs() < 1e-13);
    }

    #[test]
    fn a_zero_column_stays_one() {
        let mut columns = vec![vec![0.0; 3], vec![1.0, 2.0, 2.0]];
        triangularise(&mut columns, &mut []);
        assert_eq!(columns[0], [0.0; 3]);
        assert_eq!((columns[1][0], columns[1][1].abs()), (1.0, 8f64.sqrt()));
    }
}
