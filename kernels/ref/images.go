// SPDX-License-Identifier: MIT

package ref

// Images is x[i,c,y,x'] = bytes[i,y,x,c] 2/255 - 1, where x' mirrors x in images whose coin says so: if flip is set, the
// lowest bit of the image's first random word. x (B,3,ImgH,ImgW), bytes (B,ImgH,ImgW,3).
func Images[F float32 | float64](x []F, bytes []uint8, b, imgH, imgW int, flip bool, r Random) {
	for i := range b {
		mirror := flip && r.Words(0, i)[0]&1 != 0
		for y := range imgH {
			for col := range imgW {
				to := col
				if mirror {
					to = imgW - 1 - col
				}
				for c := range 3 {
					x[((i*3+c)*imgH+y)*imgW+to] = F(bytes[((i*imgH+y)*imgW+col)*3+c])*2/255 - 1
				}
			}
		}
	}
}
