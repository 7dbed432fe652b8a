import KVBlocks

/// How rows of equal tokens compare, plane by plane.
package struct RowComparison: Hashable, Sendable {
  /// A plane whose rows are not all the same.
  package struct PlaneDifference: Hashable, Sendable {
    package var plane: Plane
    package var elementTypes: [ElementType]
    /// Tokens whose rows differ.
    package var rowCount = 0
    /// Bytes that differ; nil where the element types do.
    package var byteCount: Int?
    package var numbers = NumberDifference()
  }

  /// How far numbers lie apart.
  package struct NumberDifference: Hashable, Sendable {
    package var valueCount = 0
    /// Of the values of which one is no number or infinite, and the other is not the same.
    package var nonFiniteCount = 0
    /// Between two finite values; nil where none differ or the rows are no numbers.
    package var largest: Double?
    /// Where it is.
    package var token: Int?
    package var element: Int?
  }

  /// Tokens whose rows were held against each other.
  package var comparedTokenCount = 0
  /// Of those, tokens whose rows are one and the same stored block.
  package var sharedTokenCount = 0
  /// Tokens whose rows could not be had on one side.
  package var missingTokenCount = 0
  /// Why, for the first of them.
  package var missingReason: String?
  /// Planes that only one of the two has, or that hold other numbers of values a row.
  package var incomparablePlaneCount = 0
  /// In the order of the first session's layout.
  package var planes: [PlaneDifference] = []
  /// The first token with a difference, and of its planes the first.
  package var firstToken: Int?
  package var firstPlane: Plane?

  package var isEqual: Bool { planes.isEmpty && missingTokenCount == 0 && incomparablePlaneCount == 0 }
  package var rowCount: Int { planes.reduce(0) { $0 + $1.rowCount } }
}

extension RowComparison: JSONConvertible {
  package var json: JSONValue {
    let first: JSONValue =
      if let firstToken, let firstPlane {
        ["token": .integer(firstToken), "layer": .integer(firstPlane.layer), "kind": .string("\(firstPlane.kind)")]
      } else {
        .null
      }
    return [
      "equal": .bool(isEqual), "comparedTokens": .integer(comparedTokenCount),
      "sharedTokens": .integer(sharedTokenCount), "missingTokens": .integer(missingTokenCount),
      "missingReason": JSONValue(missingReason), "incomparablePlanes": .integer(incomparablePlaneCount),
      "first": first, "rows": .integer(rowCount), "planes": JSONValue(planes),
    ]
  }
}

extension RowComparison.PlaneDifference: JSONConvertible {
  package var json: JSONValue {
    [
      "layer": .integer(plane.layer), "kind": .string("\(plane.kind)"),
      "elementTypes": .array(elementTypes.map { .string($0.name) }), "rows": .integer(rowCount),
      "bytes": byteCount.map { .integer($0) } ?? .null, "values": .integer(numbers.valueCount),
      "nonFinite": .integer(numbers.nonFiniteCount),
      "largest": numbers.largest.map { .number($0) } ?? .null,
      "largestToken": numbers.token.map { .integer($0) } ?? .null,
      "largestElement": numbers.element.map { .integer($0) } ?? .null,
    ]
  }
}
