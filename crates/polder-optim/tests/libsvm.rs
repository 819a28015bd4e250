//! Data in LIBSVM's format, and the features made of them.

use std::path::Path;

use polder_optim::objectives::{
    DataError, Descent, FirstOrder, Lifted, LinearLoss, LinearModel, RandomFeatures, Smooth, SparseData, stand_in,
};
use polder_perturb::Seed;

fn parse(text: &str) -> Result<SparseData, DataError> {
    SparseData::parse(Path::new("rows.txt"), text.as_bytes())
}

#[test]
fn rows_are_read_as_they_stand() {
    let data = parse("+1 1:0.5 4:-2e1 # a remark\n\n-1 \r\n-1 2:1 3:0").unwrap();
    assert_eq!((data.rows(), data.features(), data.classes()), (3, 4, [-1.0, 1.0]));
    assert_eq!(data.positive(), [true, false, false]);
    let row = |i| data.row(i).collect::<Vec<_>>();
    assert_eq!(row(0), [(0, 0.5), (3, -20.0)]);
    assert_eq!((row(1), row(2)), (vec![], vec![(1, 1.0), (2, 0.0)]));
    for (text, positive) in [("2 1:1\n1 1:1", [true, false]), ("0 1:1\n1 1:1", [false, true])] {
        assert_eq!(parse(text).unwrap().positive(), positive, "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_named_with_its_place_and_a_remedy() {
    let long = format!("1 1:1\n-1 1:{}", "x".repeat(1000));
    for (text, place, says) in [
        ("", "", "holds no rows"),
        ("\n \n# only a remark", "", "holds no rows"),
        ("+1 1:1\nyes 1:1", "line 2, column 1", "the label `yes` is not a number"),
        ("+1 1:1\n-1 1", "line 2, column 4", "`1` is not `index:value`"),
        ("+1 é 1:1", "line 1, column 4", "`é` is not"),
        ("+1 é:1 1:1", "line 1, column 4", "`é:1` is not"),
        ("+1 1:1 \u{e9}", "line 1, column 8", "is not"),
        ("1 :3", "line 1, column 3", "`:3` is not"),
        ("1 2:", "line 1, column 3", "`2:` is not"),
        ("1 -2:1", "line 1, column 3", "`-2:1` is not"),
        ("1 +2:1", "line 1, column 3", "`+2:1` is not"),
        ("1 2:1:3", "line 1, column 3", "`2:1:3` is not"),
        ("1 2:1 0:1", "line 1, column 7", "`0:1` has index 0"),
        ("1 3:1 2:1", "line 1, column 7", "`2:1` comes after index 3"),
        ("1 3:1 3:1", "line 1, column 7", "`3:1` comes after index 3"),
        ("1 4000000000:1", "line 1, column 3", "the index of `4000000000:1` is above 1000000"),
        ("1 99999999999999999999999:1", "line 1, column 3", "is above 1000000"),
        ("1 1000001:1", "line 1, column 3", "is above 1000000"),
        ("1 1:nan", "line 1, column 3", "`1:nan` is not finite"),
        ("1 1:1e999", "line 1, column 3", "`1:1e999` is not finite"),
        ("inf 1:1", "line 1, column 1", "`inf` is not finite"),
        ("1 1:1\n2 1:1\n3 1:1", "line 3, column 1", "the label `3` would be a third class beside 1 and 2"),
        ("1 1:1\n1 2:1", "", "every row of `rows.txt` has the label 1"),
        (&long, "line 2, column 4", "xxx…` is not"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains("`rows.txt`") && error.contains(place) && error.contains(says), "{text}: {error}");
        assert!(error.contains("\nhint: "), "{error}");
        assert!(error.len() < 300, "{error}");
    }
    let missing = SparseData::read(Path::new("no/such/file")).unwrap_err();
    assert!(matches!(missing, DataError::Io { .. }) && missing.to_string().contains("no/such/file"));
    assert!(parse("1 1000000:1\n2 1:1").is_ok());
}

#[test]
fn a_test_set_has_the_classes_of_its_training_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let train = SparseData::read(&file("train", "2 1:1\n1 2:1")).unwrap();
    let test = train.read_like(&file("test", "1 3:1\n1 1:1")).unwrap();
    assert_eq!((test.positive(), test.classes()), (&[false, false][..], [1.0, 2.0]));
    assert!(matches!(train.read_like(&file("other", "0 1:1")), Err(DataError::ThirdClass { .. })));
    assert!(matches!(train.read_like(&file("none", "")), Err(DataError::Empty { .. })));
}

#[test]
fn sizes_are_checked_before_memory_is_taken() {
    let wide = parse(&format!("1 {0}:1\n{1}", SparseData::MAX_FEATURES, "2 1:1\n".repeat(200))).unwrap();
    let features = |width| RandomFeatures { width, seed: Seed(0) };
    let error = features(2_000_000).reduced(&wide, &[]).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { rows: 201, columns: 1_000_001, .. }), "{error}");
    let (train, _) = stand_in(Seed(0), 10, 0);
    assert!(matches!(features(122).reduced(&train, &[]), Err(DataError::TooNarrow { width: 122, features: 123 })));
    assert!(matches!(features(usize::MAX).reduced(&train, &[]), Err(DataError::TooLarge { .. })));
    assert!(matches!(features(usize::MAX).full(&train, &[]), Err(DataError::TooLarge { .. })));
}

/// Full and reduced features of the same data.
fn both() -> [Lifted; 2] {
    let (train, test) = stand_in(Seed(2), 300, 200);
    let features = RandomFeatures { width: 260, seed: Seed(29) };
    [features.full(&train, &[&test]).unwrap(), features.reduced(&train, &[&test]).unwrap()]
}

/// Flat minima, oracle 7: logits to 1e-12, traces to 1e-9 of themselves, on training and test rows, at the start and after
/// steps of methods that don't look at single coordinates.
#[test]
fn reduced_features_are_the_full_ones() {
    let [full, reduced] = both();
    assert_eq!((full.train.columns(), reduced.train.columns()), (261, 124));
    for loss in [LinearLoss::Logistic, LinearLoss::SquaredHinge] {
        let models = |lifted: &Lifted| [&lifted.train, &lifted.others[0]].map(|f| LinearModel::new(f.clone(), loss));
        let (full_models, reduced_models) = (models(&full), models(&reduced));
        let compare = |w: &[f64], c: &[f64]| {
            for (a, b) in full_models.iter().zip(&reduced_models) {
                let (za, zb) = (a.logits(w), b.logits(c));
                // Relative to the largest logit, which is some units.
                let scale = za.iter().fold(1.0f64, |most, z| most.max(z.abs()));
                let worst = za.iter().zip(&zb).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-12 * scale, "{loss:?}: {worst:e} of {scale}");
                let (ta, tb) = (a.trace(w).unwrap(), b.trace(c).unwrap());
                assert!((ta - tb).abs() < 1e-9 * ta, "{loss:?}: {ta} {tb}");
                assert_eq!(a.accuracy(w), b.accuracy(c));
            }
        };
        compare(&full.start, &reduced.start);
        for method in [
            FirstOrder::Gradient { lr: 1e-3 },
            FirstOrder::HeavyBall { lr: 1e-4, beta: 0.9 },
            FirstOrder::Sam { lr: 1e-3, rho: 0.1 },
        ] {
            let mut a = Descent::new(&full_models[0], method, full.start.clone()).unwrap();
            let mut b = Descent::new(&reduced_models[0], method, reduced.start.clone()).unwrap();
            for _ in 0..20 {
                a.step(None);
                b.step(None);
            }
            compare(a.x(), b.x());
        }
    }
}

#[test]
fn lifted_features_are_standardised_and_carry_a_one() {
    let [full, _] = both();
    let n = full.train.rows() as f64;
    for j in 0..full.train.columns() {
        let column: Vec<f64> = (0..full.train.rows()).map(|i| full.train.row(i)[j]).collect();
        let mean = column.iter().sum::<f64>() / n;
        let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let expected = if j == 0 { (1.0, 0.0) } else { (0.0, 1.0) };
        assert!((mean - expected.0).abs() < 1e-12 && (variance - expected.1).abs() < 1e-12, "{j}: {mean} {variance}");
    }
    for (i, square) in full.train.squares().iter().enumerate() {
        let sum: f64 = full.train.row(i).iter().map(|x| x * x).sum();
        assert!((sum - square).abs() < 1e-12 * sum);
    }
    // The start is 0.1·N(0, I).
    let square: f64 = full.start.iter().map(|w| 100.0 * w * w).sum::<f64>() / 261.0;
    assert!((square - 1.0).abs() < 0.4, "{square}");
}
