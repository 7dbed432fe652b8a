/// What must not stand in code, or not without its reason.
enum SafetyRules {
  static let prints = FileRule(name: "only the command line prints") { file in
    guard file.isInSources, file.isSwift, file.module != "KVPagerCLI" else { return [] }
    return file.codeViolations { code, _ in
      guard code.holds("rint(") || code.holds("dump(") else { return nil }
      return code.firstMatch(of: /(?:^|[^.\w])(?:print|debugPrint|dump)\(/) != nil ? "a print left over" : nil
    }
  }

  static let crashes = FileRule(name: "no try! and no fatalError") { file in
    guard file.isInSources, file.isSwift else { return [] }
    return file.codeViolations { code, _ in
      code.holds("try!") || code.holds("fatalError(")
        ? "throw an error; for a programmer's mistake use precondition" : nil
    }
  }

  static let unchecked = FileRule(name: "what the compiler may not check has a reason beside it") { file in
    guard file.isSwift else { return [] }
    return file.codeViolations { code, index in
      guard code.holds("@unchecked Sendable") || code.holds("nonisolated(unsafe)"),
        !file.lines[index].holds("// because")
      else { return nil }
      return "needs `// because` and the reason on this line"
    }
  }

  /// Names of the place where the project happens to be written, and hosts that only some machines reach. In pieces, so
  /// that this file may be read by its own rule.
  static let placeNames: [String] = [
    "/wo" + "rk/wt", "/wo" + "rk/main", "/wo" + "rk/shared", "/wo" + "rk/plan", "/wo" + "rk/steering",
    "/wo" + "rk/.library", "/fa" + "rm/", "pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js",
  ]

  static let places = FileRule(name: "the project speaks of itself alone") { file in
    file.lines.enumerated().compactMap { index, line in
      guard line.holds("/") || line.holds(".org") || line.holds("registry") else { return nil }
      return placeNames.first { line.contains($0) }.map {
        Violation(path: file.path, line: index + 1, message: "names a place outside the project: \($0)")
      }
    }
  }
}
