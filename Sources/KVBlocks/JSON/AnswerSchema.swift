/// What a JSON answer is and in which version: its member `schema`, "kvpager/stats/1". The version grows with each
/// change that a reader of the one before could stumble over; a member more is none.
package struct AnswerSchema: Hashable, Sendable, CustomStringConvertible {
  package let name: String
  package let version: Int

  package init(_ name: String, version: Int) {
    self.name = name
    self.version = version
  }

  package var description: String { "kvpager/\(name)/\(version)" }
}

extension JSONValue {
  /// An object that says what it is. - Precondition: an object.
  package func tagged(_ schema: AnswerSchema) -> JSONValue {
    guard case .object(var members) = self else { preconditionFailure("an answer is an object") }
    members["schema"] = .string(schema.description)
    return .object(members)
  }
}
