-- Money as whole ten-thousandths, the places that every amount is kept with (A10).
CREATE OR REPLACE MACRO ten_thousandths(amount) AS
    CAST(CAST(amount AS DECIMAL(34, 4)) * 10000 AS HUGEINT);
