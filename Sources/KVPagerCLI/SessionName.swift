import ArgumentParser

/// A session that exists, named as an argument or with `--session`.
struct SessionName: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The session's name.", valueName: "name"), completion: .custom(ValueCompletion.sessions))
  var positional: String?

  @Option(
    name: .customLong("session"), help: ArgumentHelp("The same, as an option.", valueName: "name"),
    completion: .custom(ValueCompletion.sessions))
  var option: String?

  mutating func validate() throws {
    switch (positional, option) {
    case (nil, nil): throw ValidationError("No session is named: give its name.")
    case (let a?, let b?) where a != b:
      throw ValidationError("Two sessions are named, \"\(a)\" and \"\(b)\": give one.")
    default: break
    }
  }

  /// Only after `validate()`.
  var value: String { positional ?? option ?? "" }
}
