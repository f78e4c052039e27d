//! Which language a file is written in, by its name or its first line, and which files are manifests.

/// By extension.
const EXTENSIONS: &[(&str, &str)] = &[
    ("rs", "Rust"),
    ("py", "Python"),
    ("pyi", "Python"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("jsx", "JavaScript"),
    ("ts", "TypeScript"),
    ("mts", "TypeScript"),
    ("cts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("go", "Go"),
    ("c", "C"),
    ("h", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
    ("cxx", "C++"),
    ("hh", "C++"),
    ("hpp", "C++"),
    ("java", "Java"),
    ("kt", "Kotlin"),
    ("kts", "Kotlin"),
    ("scala", "Scala"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("cs", "C#"),
    ("fs", "F#"),
    ("swift", "Swift"),
    ("m", "Objective-C"),
    ("dart", "Dart"),
    ("lua", "Lua"),
    ("pl", "Perl"),
    ("pm", "Perl"),
    ("r", "R"),
    ("jl", "Julia"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("erl", "Erlang"),
    ("hs", "Haskell"),
    ("ml", "OCaml"),
    ("clj", "Clojure"),
    ("zig", "Zig"),
    ("nim", "Nim"),
    ("sh", "Shell"),
    ("bash", "Shell"),
    ("zsh", "Shell"),
    ("ps1", "PowerShell"),
    ("sql", "SQL"),
    ("html", "HTML"),
    ("htm", "HTML"),
    ("css", "CSS"),
    ("scss", "SCSS"),
    ("vue", "Vue"),
    ("svelte", "Svelte"),
    ("tf", "Terraform"),
    ("proto", "Protocol Buffers"),
    ("md", "Markdown"),
    ("rst", "reStructuredText"),
    ("json", "JSON"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("toml", "TOML"),
    ("xml", "XML"),
    ("nix", "Nix"),
    ("cmake", "CMake"),
];

/// By whole name, lower case.
const NAMES: &[(&str, &str)] = &[
    ("makefile", "Makefile"),
    ("gnumakefile", "Makefile"),
    ("dockerfile", "Dockerfile"),
    ("containerfile", "Dockerfile"),
    ("cmakelists.txt", "CMake"),
    ("rakefile", "Ruby"),
    ("gemfile", "Ruby"),
];

/// By the program of a `#!` line.
const PROGRAMS: &[(&str, &str)] = &[
    ("python", "Python"),
    ("node", "JavaScript"),
    ("bash", "Shell"),
    ("zsh", "Shell"),
    ("sh", "Shell"),
    ("ruby", "Ruby"),
    ("perl", "Perl"),
    ("lua", "Lua"),
];

/// Files that tell a build tool about a project.
const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "go.mod",
    "go.work",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "composer.json",
    "mix.exs",
    "CMakeLists.txt",
    "meson.build",
    "Makefile",
    "GNUmakefile",
    "makefile",
    "justfile",
    "deno.json",
    "Package.swift",
    "pubspec.yaml",
    "build.zig",
    "flake.nix",
    "Dockerfile",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yaml",
    "compose.yml",
];

/// The language of a file; none when it is not known.
pub fn of(name: &str, first_line: &str) -> Option<&'static str> {
    let base = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let look = |table: &[(&str, &'static str)], key: &str| {
        table.iter().find(|(k, _)| *k == key).map(|(_, l)| *l)
    };
    if let Some(found) = look(NAMES, &base) {
        return Some(found);
    }
    match base.rsplit_once('.') {
        Some((_, extension)) => look(EXTENSIONS, extension),
        None => {
            let program = first_line.strip_prefix("#!")?.trim();
            let last = program
                .split_whitespace()
                .rev()
                .find(|w| !w.starts_with('-'))?;
            let tool = last
                .rsplit('/')
                .next()?
                .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            look(PROGRAMS, tool)
        }
    }
}

/// True for a file that tells a build tool about a project.
pub fn is_manifest(base: &str) -> bool {
    MANIFESTS.contains(&base)
}
