// swift-tools-version: 6.2
import PackageDescription

// Imports point down the list; TidyTests holds every `import` to the house's table (ImportRules.swift).
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Lifetimes"),
]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "kvpager",
  platforms: [.macOS(.v26)],
  products: [
    .library(name: "KVPager", targets: ["KVPager"]),
    .library(name: "KVInterchange", targets: ["KVInterchange"]),
    .library(name: "PagedAttention", targets: ["PagedAttention"]),
    .executable(name: "kvpager", targets: ["KVPagerCLI"]),
    // `tools/library` makes libkvpager of it, which needs no toolchain where it runs.
    .library(name: "KVPagerC", type: .dynamic, targets: ["KVPagerC"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // Ground: the C libraries, the inner loops, the words.
    .systemLibrary(
      name: "CSystemLMDB", pkgConfig: "lmdb",
      providers: [.apt(["liblmdb-dev"]), .brew(["lmdb"])]),
    .systemLibrary(
      name: "CSystemLZ4", pkgConfig: "liblz4",
      providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
    .systemLibrary(
      name: "CSystemXXHash", pkgConfig: "libxxhash",
      providers: [.apt(["libxxhash-dev"]), .brew(["xxhash"])]),
    .target(name: "CKernels", dependencies: ["CSystemXXHash"]),
    library("KVBlocks", [crypto]),
    library("SafeLMDB", ["CSystemLMDB"]),

    // The two tiers, which never import each other, and the codec.
    library("KVCodec", ["KVBlocks", "CKernels", "CSystemLZ4"]),
    library("KVMemoryTier", ["KVBlocks"]),
    library("KVDiskTier", ["KVBlocks", "KVCodec", "SafeLMDB"]),

    // The decisions, and what users import.
    library("KVTiering", ["KVBlocks", "KVMemoryTier"]),
    library("KVPager", ["KVBlocks", "KVTiering", "KVMemoryTier", "KVDiskTier", "KVCodec", logging, metrics]),
    library("KVInterchange", ["KVBlocks"]),
    library("PagedAttention", ["KVBlocks", "CKernels"]),
    // The C interface: the header, and one Swift function for each of its lines.
    .target(name: "CKVPager"),
    library("KVPagerC", ["KVPager", "KVInterchange", "CKVPager", logging]),
    library("KVInspection", ["KVBlocks", "KVCodec", "KVDiskTier", "SafeLMDB"]),
    library("KVStudy", ["KVBlocks", "KVCodec", "KVPager", "PagedAttention", "KVInspection"]),
    library("KVSimulation", ["KVBlocks", "KVTiering", "KVMemoryTier", "KVDiskTier", "KVPager"]),
    .executableTarget(
      name: "KVPagerCLI",
      dependencies: ["KVPager", "KVInterchange", "KVInspection", "KVStudy", arguments, logging],
      swiftSettings: strict),

    tests("KVBlocksTests", ["KVBlocks"]),
    tests("SafeLMDBTests", ["SafeLMDB"]),
    tests("KVCodecTests", ["KVCodec", "CKernels", "CSystemLZ4"]),
    tests("KVMemoryTierTests", ["KVMemoryTier"]),
    tests("KVDiskTierTests", ["KVDiskTier", "KVSimulation", "CSystemLMDB"]),
    tests("KVTieringTests", ["KVTiering", "KVSimulation"]),
    tests("KVPagerTests", ["KVPager", "KVInterchange", "PagedAttention", "KVSimulation"]),
    tests("KVInterchangeTests", ["KVInterchange", "KVSimulation"]),
    tests("PagedAttentionTests", ["PagedAttention", "KVPager", "KVInterchange", "KVSimulation", "CKernels"]),
    tests("KVInspectionTests", ["KVInspection", "KVPager", "KVSimulation"]),
    tests("KVStudyTests", ["KVStudy", "KVPager", "KVSimulation"]),
    .testTarget(
      name: "KVPagerCTests", dependencies: ["KVPagerC", "CKVPager", "KVSimulation"],
      exclude: ["Program"],  // a program in C, which a test compiles
      swiftSettings: strict),
    tests("KVPagerCLITests", ["KVPagerCLI", "KVSimulation"]),
    tests("CorruptionTests", ["KVInspection", "KVPagerCLI"]),
    tests("SimulationTests", ["KVSimulation"]),
    tests("CrashTests", ["KVPager", "KVSimulation"]),
    tests("CompatibilityTests", ["KVPager", "KVSimulation"]),
    tests("TidyTests", []),
  ],
  swiftLanguageModes: [.v6]
)

// Built on request only (`tools/bench`), so that nobody else waits for it.
if Context.environment["KVPAGER_BENCHMARKS"] != nil {
  package.targets.append(
    .executableTarget(
      name: "KVBenchmarks",
      dependencies: [
        "KVPager", "KVInterchange", "KVCodec", "KVBlocks", "KVSimulation", "PagedAttention", "CLimits",
      ],
      path: "tools/benchmarks", exclude: ["CLimits"], swiftSettings: strict))
  // What memory and arithmetic can do at most, measured beside what they do.
  package.targets.append(.target(name: "CLimits", path: "tools/benchmarks/CLimits"))
  package.products.append(.executable(name: "kvpager-bench", targets: ["KVBenchmarks"]))
}
