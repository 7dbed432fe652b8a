import KVBlocks

/// What the numbers of a plane are like.
package struct NumericSummary: Hashable, Sendable {
  package static let binCount = 16

  package var valueCount = 0
  package var zeroCount = 0
  package var nanCount = 0
  package var infiniteCount = 0
  /// Of the finite values; 0 where there are none.
  package var minimum = 0.0
  package var maximum = 0.0
  package var mean = 0.0
  package var standardDeviation = 0.0
  /// Finite values in ``binCount`` parts, equally wide, from the minimum to the maximum.
  package var histogram = [Int](repeating: 0, count: binCount)

  package var finiteCount: Int { valueCount - nanCount - infiniteCount }

  /// Goes twice over the rows: nothing is kept of them.
  init(_ type: ElementType, _ rows: UnsafeRawBufferPointer) {
    var sum = 0.0
    var (least, most) = (Float.infinity, -Float.infinity)
    ElementValues.forEach(type, rows) { values in
      valueCount += values.count
      for value in values {
        if value.isFinite {
          sum += Double(value)
          if value < least { least = value }
          if value > most { most = value }
          if value == 0 { zeroCount += 1 }
        } else if value.isNaN {
          nanCount += 1
        } else {
          infiniteCount += 1
        }
      }
    }
    guard finiteCount > 0 else { return }
    (minimum, maximum, mean) = (Double(least), Double(most), sum / Double(finiteCount))
    let scale = maximum > minimum ? Double(Self.binCount) / (maximum - minimum) : 0
    var squares = 0.0
    ElementValues.forEach(type, rows) { values in
      for value in values where value.isFinite {
        let distance = Double(value) - mean
        squares += distance * distance
        histogram[min(Int((Double(value) - minimum) * scale), Self.binCount - 1)] += 1
      }
    }
    standardDeviation = (squares / Double(finiteCount)).squareRoot()
  }
}

extension NumericSummary: JSONConvertible {
  package var json: JSONValue {
    let isKnown = finiteCount > 0
    func number(_ value: Double) -> JSONValue { isKnown ? .number(value) : .null }
    return [
      "values": .integer(valueCount), "zeros": .integer(zeroCount), "nan": .integer(nanCount),
      "infinite": .integer(infiniteCount), "minimum": number(minimum), "maximum": number(maximum),
      "mean": number(mean), "standardDeviation": number(standardDeviation),
      "histogram": .array(histogram.map { .integer($0) }),
    ]
  }
}
