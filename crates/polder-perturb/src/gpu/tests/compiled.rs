//! The CUDA text by NVIDIA's own compilers, where `POLDER_TEST_CUDA` names a toolkit.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::ptr::{null, null_mut};

use libloading::Library;

use super::super::text;
use super::host::KERNELS;

/// The cards that are compiled for.
const CARDS: [&str; 3] = ["75", "80", "90"];

fn toolkit() -> Option<PathBuf> {
    let home = std::env::var_os("POLDER_TEST_CUDA").map(PathBuf::from);
    if home.is_none() {
        eprintln!("skipped: POLDER_TEST_CUDA does not name a CUDA toolkit");
    }
    home
}

#[test]
fn nvcc_makes_code_for_every_card() {
    let Some(home) = toolkit() else { return };
    let place = std::env::current_exe().expect("this program").with_file_name("kernels-nvcc");
    std::fs::create_dir_all(&place).expect("a folder");
    let source = place.join("kernels.cu");
    std::fs::write(&source, text::CUDA).expect("the kernels' text");
    for card in CARDS {
        let output = place.join(format!("kernels-{card}.cubin"));
        let mut nvcc = Command::new(home.join("bin/nvcc"));
        nvcc.env("CUDA_HOME", &home).args(["-cubin", "-O3", "--fmad=false", "-Xptxas", "-v"]);
        let out = nvcc.arg(format!("-arch=sm_{card}")).arg("-o").arg(&output).arg(&source).output().expect("nvcc");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "sm_{card}: {said}");
        for (name, _) in KERNELS {
            assert!(said.contains(&format!("'{name}' for 'sm_{card}'")), "sm_{card}: {name}");
        }
        // Registers that do not suffice would go to memory.
        for line in said.lines().filter(|line| line.contains("spill")) {
            assert!(line.contains("0 bytes spill stores, 0 bytes spill loads"), "sm_{card}: {line}");
        }
    }
}

/// Every kernel is there, and no operation that is not IEEE 754's.
fn check(ptx: &str, what: &str) {
    for (name, _) in KERNELS {
        assert!(ptx.contains(&format!(".entry {name}(")), "{what}: {name}");
    }
    for line in ptx.lines() {
        assert!(!line.contains(".approx") && !line.contains(".ftz"), "{what}: {line}");
    }
}

/// What NVRTC, loaded from the toolkit, makes of the text.
fn nvrtc(library: &Library, text: &str) -> String {
    type Program = *mut c_void;
    type Create = unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int;
    type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
    type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
    type Get = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
    let text = CString::new(text).expect("text without zeros");
    let options = text::NVRTC_OPTIONS.map(|option| CString::new(option).expect("an option"));
    let options = options.each_ref().map(|option| option.as_ptr());
    // SAFETY: the functions have these types (nvrtc.h); every pointer is that of a string or of a place that is large enough.
    unsafe {
        let (mut program, none) = (null_mut(), null());
        let create = library.get::<Create>("nvrtcCreateProgram").expect("NVRTC");
        assert_eq!(create(&mut program, text.as_ptr(), c"kernels.cu".as_ptr(), 0, none, none), 0);
        let compile = library.get::<Compile>("nvrtcCompileProgram").expect("NVRTC");
        let code = compile(program, options.len() as c_int, options.as_ptr());
        let read = |size: &str, get: &str| {
            let mut len = 0;
            assert_eq!(library.get::<Size>(size).expect("NVRTC")(program, &mut len), 0);
            let mut bytes = vec![0u8; len];
            assert_eq!(library.get::<Get>(get).expect("NVRTC")(program, bytes.as_mut_ptr().cast()), 0);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        assert_eq!(code, 0, "{}", read("nvrtcGetProgramLogSize", "nvrtcGetProgramLog"));
        read("nvrtcGetPTXSize", "nvrtcGetPTX")
    }
}

#[test]
fn nvrtc_makes_what_a_program_loads() {
    let Some(home) = toolkit() else { return };
    let files = std::fs::read_dir(home.join("lib")).expect("the toolkit's libraries");
    let mut names: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    names.sort();
    let load = |start: &str| {
        let named = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
        let path = names.iter().find(named).expect("a library of the toolkit");
        // SAFETY: NVIDIA's library, which runs nothing of consequence when it is loaded.
        unsafe { Library::new(path) }.expect("a library")
    };
    // NVRTC looks for the first by name, where a program's path may not lead.
    let (_builtins, library) = (load("libnvrtc-builtins.so"), load("libnvrtc.so"));
    let ptx = nvrtc(&library, text::CUDA);
    assert!(ptx.contains(".target sm_75"));
    check(&ptx, "NVRTC");
}
