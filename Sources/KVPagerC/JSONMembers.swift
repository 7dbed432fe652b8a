import KVPager

/// The members of a JSON object from C, taken one by one: what is not taken was not meant by anybody.
struct JSONMembers {
  private var members: [String: JSONValue]
  /// "options", "descriptor": what messages call the object.
  private let name: String

  init(_ members: [String: JSONValue], _ name: String) {
    self.members = members
    self.name = name
  }

  /// NULL is an object without members.
  init(_ text: UnsafePointer<CChar>?, _ name: StaticString) throws(StoreError) {
    self.name = "\(name)"
    guard let text = try Argument.optionalText(text, name, limit: Argument.documentByteLimit) else {
      members = [:]
      return
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: text)
    } catch {
      throw .invalidArgument("\(name): at byte \(error.position): \(error.message)")
    }
    guard case .object(let members) = value else { throw .invalidArgument("\(name): a JSON object is expected") }
    self.members = members
  }

  var isEmpty: Bool { members.isEmpty }

  /// A member given as null is one left out.
  mutating func take(_ member: String) -> JSONValue? {
    let value = members.removeValue(forKey: member)
    return value == .null ? nil : value
  }

  mutating func text(_ member: String) throws(StoreError) -> String? {
    guard let value = take(member) else { return nil }
    guard case .string(let text) = value else { throw refusal(member, value, "a text") }
    return text
  }

  mutating func flag(_ member: String) throws(StoreError) -> Bool? {
    guard let value = take(member) else { return nil }
    guard case .bool(let flag) = value else { throw refusal(member, value, "true or false") }
    return flag
  }

  mutating func integer(_ member: String, _ range: ClosedRange<Int>) throws(StoreError) -> Int? {
    guard let value = take(member) else { return nil }
    guard case .integer(let integer) = value, range.contains(integer) else {
      throw refusal(member, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return integer
  }

  mutating func integers(_ member: String, count: Int, _ range: ClosedRange<Int>) throws(StoreError) -> [Int]? {
    guard let value = take(member) else { return nil }
    let wanted = "\(count) whole numbers from \(range.lowerBound) to \(range.upperBound)"
    guard case .array(let values) = value, values.count == count else { throw refusal(member, value, wanted) }
    var integers: [Int] = []
    for element in values {
      guard case .integer(let integer) = element, range.contains(integer) else {
        throw refusal(member, value, wanted)
      }
      integers.append(integer)
    }
    return integers
  }

  mutating func texts(_ member: String) throws(StoreError) -> [String: String]? {
    guard let value = take(member) else { return nil }
    guard case .object(let pairs) = value else { throw refusal(member, value, "texts by name") }
    var texts: [String: String] = [:]
    for (key, value) in pairs {
      guard case .string(let text) = value else { throw refusal("\(member).\(key)", value, "a text") }
      texts[key] = text
    }
    return texts
  }

  mutating func objects(_ member: String, limit: Int) throws(StoreError) -> [JSONMembers]? {
    guard let value = take(member) else { return nil }
    guard case .array(let values) = value, values.count <= limit else {
      throw refusal(member, value, "an array of at most \(limit) objects")
    }
    var objects: [JSONMembers] = []
    for (index, element) in values.enumerated() {
      guard case .object(let members) = element else { throw refusal("\(member)[\(index)]", element, "an object") }
      objects.append(JSONMembers(members, "\(name).\(member)[\(index)]"))
    }
    return objects
  }

  mutating func choice<Value>(_ member: String, _ choices: [(String, Value)]) throws(StoreError) -> Value? {
    guard let value = take(member) else { return nil }
    for (name, choice) in choices where value == .string(name) { return choice }
    throw refusal(member, value, choices.map { "\"\($0.0)\"" }.joined(separator: ", "))
  }

  /// A member that must be there.
  func required<Value>(_ value: Value?, _ member: String) throws(StoreError) -> Value {
    guard let value else { throw .invalidArgument("\(name): \"\(member)\" is missing") }
    return value
  }

  /// Refuses what nobody took.
  func finish() throws(StoreError) {
    guard let member = members.keys.min() else { return }
    throw .invalidArgument("\(name): \"\(member.prefix(40))\" is unknown")
  }

  private func refusal(_ member: String, _ value: JSONValue, _ wanted: String) -> StoreError {
    let given = String(value.text(isIndented: false).prefix(40))
    return .invalidArgument("\(name): \"\(member.prefix(60))\" is \(given); it must be \(wanted)")
  }
}
